import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

const insertFilter = statement<[number, Buffer, string], { filterNid: number }>(
  'insert_filter',
  `with added as (
     insert into filters (user_nid, filter_hash, filter) values ($1, $2, $3)
       on conflict (user_nid, filter_hash) do nothing returning filter_nid)
   select filter_nid as "filterNid" from added
   union all
   select filter_nid from filters where user_nid = $1 and filter_hash = $2 limit 1`,
);

const selectFilter = statement<[number, number], { filter: string }>(
  'select_filter',
  'select filter from filters where user_nid = $1 and filter_nid = $2',
);

/** Filters that clients have stored. */
export function createFilterStore(database: Queryable) {
  return {
    /** The number of a filter; the same for the same filter. */
    async add(userNid: number, hash: Buffer, filter: string): Promise<number> {
      return (await database.query(insertFilter, [userNid, hash, filter]))[0]!.filterNid;
    },
    async get(userNid: number, filterNid: number): Promise<string | null> {
      return (await database.query(selectFilter, [userNid, filterNid]))[0]?.filter ?? null;
    },
  };
}

export type FilterStore = ReturnType<typeof createFilterStore>;
