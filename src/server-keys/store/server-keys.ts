import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import type { PublishedKeys, ServerKey } from '../../matrix/server-keys.ts';

interface KeyRow extends ServerKey {
  keyId: string;
}

const selectKeys = statement<[serverName: string], KeyRow>(
  'select_server_keys',
  `select key_id as "keyId", public_key as "publicKey", valid_until_ts as "validUntilTs"
   from server_keys where server_name = $1`,
);

const selectAnswers = statement<
  [string[]],
  { serverName: string; answer: string; untilTs: number }
>(
  'select_server_key_answers',
  `select server_name as "serverName", answer, valid_until_ts as "untilTs"
   from server_key_answers where server_name = any($1)`,
);

// Two processes that ask at once write the same rows in the same order.
const upsertKeys = statement<
  [
    serverName: string,
    keyIds: string[],
    publicKeys: string[],
    validUntilTs: number[],
    answer: string,
    untilTs: number,
  ],
  never
>(
  'upsert_server_keys',
  `with keys as (
     insert into server_keys (server_name, key_id, public_key, valid_until_ts)
       select $1, k.id, k.key, k.until_ts
       from unnest($2::text[], $3::text[], $4::bigint[]) as k(id, key, until_ts) order by k.id
       on conflict (server_name, key_id) do update
         set public_key = excluded.public_key, valid_until_ts = excluded.valid_until_ts)
   insert into server_key_answers (server_name, answer, valid_until_ts) values ($1, $5, $6)
     on conflict (server_name) do update
       set answer = excluded.answer, valid_until_ts = excluded.valid_until_ts`,
);

/** An answer as it came, JSON text, and until when its keys are valid. */
export interface KeptAnswer {
  answer: string;
  untilTs: number;
}

export function createServerKeyStore(database: Queryable) {
  return {
    async keysOf(serverName: string): Promise<Map<string, ServerKey>> {
      const rows = await database.query(selectKeys, [serverName]);
      return new Map(rows.map(({ keyId, ...key }) => [keyId, key]));
    },
    async answersOf(serverNames: readonly string[]): Promise<Map<string, KeptAnswer>> {
      const rows = await database.query(selectAnswers, [[...serverNames]]);
      return new Map(rows.map(({ serverName, ...kept }) => [serverName, kept]));
    },
    async keep(serverName: string, { keys, validUntilTs }: PublishedKeys, answer: string) {
      const entries = [...keys];
      await database.query(upsertKeys, [
        serverName,
        entries.map(([id]) => id),
        entries.map(([, { publicKey }]) => publicKey),
        entries.map(([, key]) => key.validUntilTs),
        answer,
        validUntilTs,
      ]);
    },
  };
}

export type ServerKeyStore = ReturnType<typeof createServerKeyStore>;
