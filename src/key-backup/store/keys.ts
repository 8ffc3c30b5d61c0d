import type { Database } from '../../database/database.ts';
import { statement, type Statement } from '../../database/statement.ts';

/** A key of a megolm session, as its client has encrypted it; `sessionData` is JSON text. */
export interface BackedUpKey {
  roomId: string;
  sessionId: string;
  isVerified: boolean;
  firstMessageIndex: number;
  forwardedCount: number;
  sessionData: string;
}

/** A backup after its keys have been changed. */
export interface Change {
  /** Whether the backup is the user's newest. Others take no keys. */
  isNewest: boolean;
  etag: number;
  keyCount: number;
}

/** Keys of a backup: all, one room's, or one session's. */
export interface KeySelection {
  roomId?: string;
  sessionId?: string;
}

/** Held until the keys are written: changes of one backup follow each other. */
const lockBackup = statement<[userNid: number, version: number], { version: number }>(
  'lock_key_backup',
  'select version from key_backups where user_nid = $1 and version = $2 for update',
);

/**
 * The better key stays: verified, then from an earlier message on, then forwarded less often
 * (CS 1.19, "Server-side key backups").
 */
const upsertKeys = statement<
  [number, number, string[], string[], boolean[], number[], number[], string[]],
  Change
>(
  'upsert_backed_up_keys',
  `with backup as (
     select etag, key_count, not exists (
       select from key_backups newer where newer.user_nid = $1 and newer.version > $2) as is_newest
     from key_backups where user_nid = $1 and version = $2),
   written as (
     insert into backed_up_keys as kept (user_nid, version, room_id, session_id,
       is_verified, first_message_index, forwarded_count, session_data)
     select $1, $2, key.* from backup, unnest(
       $3::text[], $4::text[], $5::boolean[], $6::bigint[], $7::bigint[], $8::text[]) as key
     where is_newest
     on conflict (user_nid, version, room_id, session_id) do update set
       is_verified = excluded.is_verified,
       first_message_index = excluded.first_message_index,
       forwarded_count = excluded.forwarded_count,
       session_data = excluded.session_data
     where (excluded.is_verified, -excluded.first_message_index, -excluded.forwarded_count)
       > (kept.is_verified, -kept.first_message_index, -kept.forwarded_count)
     returning xmax = 0 as is_added),
   changed as (
     update key_backups set etag = etag + 1,
       key_count = key_count + (select count(*) from written where is_added)
     where user_nid = $1 and version = $2 and exists (select from written)
     returning etag, key_count)
   select is_newest as "isNewest", coalesce(changed.etag, backup.etag) as etag,
     coalesce(changed.key_count, backup.key_count) as "keyCount"
   from backup left join changed on true`,
);

const deletion = <P extends readonly unknown[]>(name: string, condition: string) =>
  statement<P, Change>(
    name,
    `with deleted as (
       delete from backed_up_keys where user_nid = $1 and version = $2 ${condition} returning 1)
     update key_backups set etag = etag + (select least(count(*), 1) from deleted),
       key_count = key_count - (select count(*) from deleted)
     where user_nid = $1 and version = $2
     returning true as "isNewest", etag, key_count as "keyCount"`,
  );

const deleteAllKeys = deletion<[number, number]>('delete_backed_up_keys', '');
const deleteRoomKeys = deletion<[number, number, string]>(
  'delete_backed_up_room_keys',
  'and room_id = $3',
);
const deleteKey = deletion<[number, number, string, string]>(
  'delete_backed_up_key',
  'and room_id = $3 and session_id = $4',
);

const keyColumns = `room_id as "roomId", session_id as "sessionId", is_verified as "isVerified",
  first_message_index as "firstMessageIndex", forwarded_count as "forwardedCount",
  session_data as "sessionData"`;

const selectKey = statement<[number, number, string, string], BackedUpKey>(
  'select_backed_up_key',
  `select ${keyColumns} from backed_up_keys
   where user_nid = $1 and version = $2 and room_id = $3 and session_id = $4`,
);

const selectRoomPage = statement<[number, number, string, string, number], BackedUpKey>(
  'select_backed_up_room_keys',
  `select ${keyColumns} from backed_up_keys
   where user_nid = $1 and version = $2 and room_id = $3 and session_id > $4
   order by session_id limit $5`,
);

const selectPage = statement<[number, number, string, string, number], BackedUpKey>(
  'select_backed_up_keys',
  `select ${keyColumns} from backed_up_keys
   where user_nid = $1 and version = $2 and (room_id, session_id) > ($3, $4)
   order by room_id, session_id limit $5`,
);

/** Keys read at once; bounds the memory of a download. */
const pageSize = 500;

/** The keys in the users' backups. */
export function createKeyStore(database: Database) {
  /** Lock and change in one round trip; null: there is no such backup. */
  async function change<P extends readonly unknown[]>(
    wanted: Statement<P, Change>,
    params: P,
  ): Promise<Change | null> {
    const [userNid, version] = params;
    const [, rows] = await database.batch('key_backup', [
      { statement: lockBackup as never, params: [userNid, version] },
      { statement: wanted as never, params },
    ]);
    return (rows as Change[])[0] ?? null;
  }

  return {
    /** Keeps those keys that are new or better. Null: there is no such backup. */
    put: (userNid: number, version: number, keys: readonly BackedUpKey[]) =>
      change(upsertKeys, [
        userNid,
        version,
        keys.map((key) => key.roomId),
        keys.map((key) => key.sessionId),
        keys.map((key) => key.isVerified),
        keys.map((key) => key.firstMessageIndex),
        keys.map((key) => key.forwardedCount),
        keys.map((key) => key.sessionData),
      ]),
    /** Null: there is no such backup. */
    delete(userNid: number, version: number, { roomId, sessionId }: KeySelection) {
      if (roomId === undefined) return change(deleteAllKeys, [userNid, version]);
      return sessionId === undefined
        ? change(deleteRoomKeys, [userNid, version, roomId])
        : change(deleteKey, [userNid, version, roomId, sessionId]);
    },
    async get(userNid: number, version: number, roomId: string, sessionId: string) {
      const rows = await database.query(selectKey, [userNid, version, roomId, sessionId]);
      return rows[0] ?? null;
    },
    /** Page by page, by room and session. */
    async *pages(
      userNid: number,
      version: number,
      roomId: string | undefined,
    ): AsyncGenerator<readonly BackedUpKey[]> {
      const select = roomId === undefined ? selectPage : selectRoomPage;
      let after = { roomId: roomId ?? '', sessionId: '' };
      let rows: BackedUpKey[];
      do {
        // oxlint-disable-next-line no-await-in-loop -- a page begins where the one before it ended
        rows = await database.query(select, [
          userNid,
          version,
          after.roomId,
          after.sessionId,
          pageSize,
        ]);
        yield rows;
        after = rows.at(-1) ?? after;
      } while (rows.length === pageSize);
    },
  };
}

export type KeyStore = ReturnType<typeof createKeyStore>;
