import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import type { AccountDataRow } from '../streams.ts';

export interface EntryRow {
  roomNid: number;
  type: string;
  content: string | null;
}

/** `nothing`: an unchanged entry gets no new position. */
export const upsertEntry = statement<
  [userNid: number, roomNid: number, type: string, content: string | null],
  { pos: number }
>(
  'upsert_account_data',
  `insert into account_data as a (user_nid, room_nid, type, content, pos)
     select $1::bigint, $2::bigint, $3::text, $4::text, nextval('stream_position')
       where not exists (select from account_data
         where user_nid = $1 and room_nid = $2 and type = $3 and content is not distinct from $4)
   on conflict (user_nid, room_nid, type)
     do update set content = excluded.content, pos = excluded.pos
     where a.content is distinct from excluded.content
   returning pos`,
);

/** Writes only when the entry is still what the writer has read; no row: it is not. */
export const replaceEntry = statement<
  [userNid: number, roomNid: number, type: string, content: string, before: string | null],
  { pos: number }
>(
  'replace_account_data',
  `insert into account_data as a (user_nid, room_nid, type, content, pos)
     values ($1, $2, $3, $4, nextval('stream_position'))
   on conflict (user_nid, room_nid, type)
     do update set content = excluded.content, pos = excluded.pos
     where a.content is not distinct from $5
   returning pos`,
);

const selectEntry = statement<[number, number, string], { content: string | null }>(
  'select_account_data_entry',
  'select content from account_data where user_nid = $1 and room_nid = $2 and type = $3',
);

const selectSetAmong = statement<[userNid: number, types: string[]], { type: string }>(
  'select_account_data_set_among',
  `select type from account_data
   where user_nid = $1 and room_nid = 0 and type = any($2) and content is not null`,
);

const selectRoomEntries = statement<[number, number], EntryRow>(
  'select_room_account_data',
  `select room_nid as "roomNid", type, content from account_data
   where user_nid = $1 and room_nid = $2`,
);

const selectAll = statement<[number], EntryRow>(
  'select_account_data',
  `select room_nid as "roomNid", type, content from account_data
   where user_nid = $1 and content is not null`,
);

const selectEverything = statement<
  [userNid: number],
  { roomId: string | null; type: string; content: string }
>(
  'select_account_data_with_rooms',
  `select r.room_id as "roomId", d.type, d.content
   from account_data d left join rooms r on r.room_nid = d.room_nid
   where d.user_nid = $1 and d.content is not null order by d.type`,
);

const selectChanges = statement<[number, number], EntryRow>(
  'select_account_data_changes',
  `select room_nid as "roomNid", type, content from account_data
   where user_nid = $1 and pos > $2`,
);

const selectStream = statement<[number, number], AccountDataRow & { pos: number }>(
  'select_account_data_stream',
  `select user_nid as "userNid", room_nid as "roomNid", type, content, pos from account_data
   where pos > $1 and pos <= $2 order by pos`,
);

const deleteAll = statement<[userNid: number], never>(
  'delete_account_data',
  `with filters as (delete from filters where user_nid = $1)
   delete from account_data where user_nid = $1`,
);

export function createAccountDataStore(database: Queryable) {
  return {
    /** Those of the types of global entries that are set. */
    async setAmong(userNid: number, types: readonly string[]): Promise<string[]> {
      const rows = await database.query(selectSetAmong, [userNid, [...types]]);
      return rows.map(({ type }) => type);
    },
    /** JSON text; null: not set, or deleted. */
    async entry(userNid: number, roomNid: number, type: string): Promise<string | null> {
      const [row] = await database.query(selectEntry, [userNid, roomNid, type]);
      return row?.content ?? null;
    },
    /** Rows of the stream again. */
    stream: (afterPos: number, uptoPos: number) =>
      database.query(selectStream, [afterPos, uptoPos]),
    ofRoom: (userNid: number, roomNid: number) =>
      database.query(selectRoomEntries, [userNid, roomNid]),
    /** All that is set, by the rooms' ids; null: for no room. */
    everything: (userNid: number) => database.query(selectEverything, [userNid]),
    /** With the stored filters. */
    deleteAll: (userNid: number) => database.query(deleteAll, [userNid]),
    /** Everything after a position; -1: everything there is. */
    changes: (userNid: number, afterPos: number) =>
      afterPos < 0
        ? database.query(selectAll, [userNid])
        : database.query(selectChanges, [userNid, afterPos]),
  };
}

export type AccountDataStore = ReturnType<typeof createAccountDataStore>;
