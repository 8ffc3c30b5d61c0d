import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

const allow = statement<[userNid: number, untilTs: number], object>(
  'keys.allow_replacement',
  `insert into cross_signing_replacements (user_nid, until_ts) values ($1, $2)
   on conflict (user_nid) do update set until_ts = excluded.until_ts`,
);

const select = statement<[userNid: number, nowTs: number], { untilTs: number }>(
  'keys.replacement_allowed',
  `select until_ts as "untilTs" from cross_signing_replacements
   where user_nid = $1 and until_ts > $2`,
);

const remove = statement<[userNid: number], object>(
  'keys.end_replacement',
  'delete from cross_signing_replacements where user_nid = $1',
);

/** Who may replace cross-signing keys without further proof, until when. */
export function createReplacementStore(database: Queryable) {
  return {
    async allow(userNid: number, untilTs: number): Promise<void> {
      await database.query(allow, [userNid, untilTs]);
    },
    async isAllowed(userNid: number, nowTs: number): Promise<boolean> {
      return (await database.query(select, [userNid, nowTs])).length > 0;
    },
    async end(userNid: number): Promise<void> {
      await database.query(remove, [userNid]);
    },
  };
}

export type ReplacementStore = ReturnType<typeof createReplacementStore>;
