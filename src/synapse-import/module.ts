import { shardOf } from '../cluster/role.ts';
import type { Database } from '../database/database.ts';
import { federationSenderRole } from '../federation-sender/module.ts';
import type { Clock } from '../kernel/clock.ts';
import type { SigningKey } from '../matrix/signing.ts';
import { createMediaImporter } from '../media/module.ts';
import { pusherRole } from '../push/module.ts';
import { createRoomImporter } from '../rooms/module.ts';
import type { Bus } from '../streams/bus.ts';
import { rulesOfUsers } from './accounts/push-rules.ts';
import { importMedia } from './media.ts';
import { importRooms } from './rooms/import-rooms.ts';
import { pagesOf, type Reading } from './source/pages.ts';
import type { SourceRow, SynapseSource } from './source/source.ts';
import { accountCopies } from './store/account-copies.ts';
import type { Copy } from './store/copy.ts';
import { encryptionCopies } from './store/encryption-copies.ts';
import { roomCopies } from './store/room-copies.ts';
import { createTargetStore } from './store/target.ts';
import { verifyRooms } from './verify.ts';

export { openSource, type SynapseDatabase, type SynapseSource } from './source/source.ts';
export { createTargetStore } from './store/target.ts';
export { readSynapseConfig, type SynapseConfig } from './source/synapse-config.ts';

export interface SynapseImportNeeds {
  source: SynapseSource;
  database: Database;
  bus: Bus;
  clock: Clock;
  serverName: string;
  signingKey: SigningKey;
  storage: Parameters<typeof createMediaImporter>[0];
  /** [media_store_path] of Synapse; null: media are not taken over. */
  mediaFolder: string | null;
  /** A step is done: what it is of, and how many there are. */
  done(step: string, count: number): void;
  /** How far the rooms are. */
  progress(done: number, all: number, events: number): void;
  /** What an admin should know, a line. */
  note(text: string): void;
}

const pushers: Reading = {
  columns: `id, user_name, access_token, profile_tag, kind, app_id, app_display_name,
    device_display_name, pushkey, ts, lang, data, enabled, device_id`,
  from: 'pushers',
  key: ['id'],
};

// Other servers and clients of this one remember how far Synapse had come.
const newestPosition = `
  select max(newest) as newest from (
    select max(stream_ordering) as newest from events
    union all select max(stream_id) from device_lists_stream
    union all select max(stream_id) from e2e_cross_signing_keys) as all_of_them`;

/** Why nothing can be taken over from it; null: it can. */
async function fault(source: SynapseSource): Promise<string | null> {
  const rows = await source.rows('select count(*) as count from partial_state_rooms');
  return Number(rows[0]!['count']) > 0
    ? 'Synapse is still joining rooms (partial_state_rooms): let it finish first'
    : null;
}

/**
 * Takes over what a Synapse of the same server name has: accounts, sessions, keys, rooms with their
 * history, media. May be repeated: what is there already stays. Synapse must have been stopped for
 * good. Throws when the database is not what it should be.
 */
export async function importSynapse(needs: SynapseImportNeeds): Promise<void> {
  const { source, database, serverName, done, note } = needs;
  const wrong = await fault(source);
  if (wrong !== null) throw new Error(wrong);
  const target = createTargetStore(database);
  const [position] = await source.rows(newestPosition);
  await target.raisePosition(Number(position!['newest'] ?? 0));
  const rooms = createRoomImporter(needs);

  async function copy({ name, reading, users = [], prepare, into }: Copy): Promise<void> {
    let count = 0;
    for await (const page of pagesOf(source, reading)) {
      const rows = prepare ? prepare(page) : page;
      const named = rows.flatMap((row) => users.map((column) => row[column]));
      await rooms.interned.users([...new Set(named.filter((id) => typeof id === 'string'))]);
      count += (await database.query(into, [JSON.stringify(rows)]))[0]!.count;
    }
    done(name, count);
  }

  async function copyAll(copies: readonly Copy[]): Promise<void> {
    // oxlint-disable-next-line no-await-in-loop -- each stands on those before
    for (const one of copies) await copy(one);
  }

  async function copyPushRules(): Promise<void> {
    let count = 0;
    for await (const users of rulesOfUsers(source)) {
      const rows = [...users].map(([userId, differences]) => ({
        user_id: userId,
        content: JSON.stringify(differences),
      }));
      count += await target.pushRules(rows);
    }
    done('push rules', count);
  }

  async function copyPushers(): Promise<void> {
    let count = 0;
    const withShard = (row: SourceRow) => ({
      ...row,
      shard: shardOf(pusherRole, row['user_name'] as string),
    });
    for await (const page of pagesOf(source, pushers)) {
      count += await target.pushers(page.map((row) => withShard(row)));
    }
    done('pushers', count);
  }

  await copyAll(accountCopies);
  await copyPushRules();
  await copyAll(encryptionCopies);
  const count = await importRooms({ source, rooms, serverName, note }, needs.progress);
  done('rooms', count);
  await copyAll(roomCopies);
  await copyPushers();
  if (needs.mediaFolder !== null) {
    const media = createMediaImporter(needs.storage, database);
    done('media', await importMedia({ source, folder: needs.mediaFolder, media, note }));
  }
  await target.startAtEnd({ sender: federationSenderRole.shards, push: pusherRole.shards });
  const verified = await verifyRooms(source, rooms);
  for (const line of verified.differences) note(line);
  done('rooms whose state was compared', verified.rooms);
}
