import type { Queryable } from '../../database/database.ts';
import { readableJson } from '../../database/readable-json.ts';
import { statement } from '../../database/statement.ts';
import type { Receipt, ReceiptRow } from '../streams.ts';

export interface MovedRow {
  /** Null: there is no such event in the room's timeline. */
  eventPos: number | null;
  eventSub: number | null;
  /** Null: the receipt was as far already. */
  pos: number | null;
}

/**
 * Moves receipts forwards. Rows come back in the order of the input: room, user, type, thread ('' for
 * none), event and time of each.
 */
export const moveReceipts = statement<
  [number[], number[], string[], string[], string[], number[]],
  MovedRow
>(
  'move_receipts',
  `with known as materialized (
     select i.*, e.pos as event_pos, e.sub as event_sub
       from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::bigint[])
         with ordinality as i(room_nid, user_nid, receipt_type, thread_id, event_id, ts, nth)
       left join events e on e.event_id = i.event_id and e.room_nid = i.room_nid),
   furthest as (
     select distinct on (k.room_nid, k.user_nid, k.receipt_type, k.thread_id) k.*
       from known k left join receipts r on r.room_nid = k.room_nid and r.user_nid = k.user_nid
         and r.receipt_type = k.receipt_type and r.thread_id = k.thread_id
       where k.event_pos is not null and (r.room_nid is null
         or (r.event_pos, r.event_sub) < (k.event_pos, k.event_sub))
       order by k.room_nid, k.user_nid, k.receipt_type, k.thread_id, k.event_pos desc,
         k.event_sub desc, k.nth),
   moved as (
     insert into receipts as r (room_nid, user_nid, receipt_type, thread_id, event_id, event_pos,
         event_sub, ts, pos)
       select room_nid, user_nid, receipt_type, thread_id, event_id, event_pos, event_sub, ts,
           nextval('stream_position') from furthest
       on conflict (room_nid, user_nid, receipt_type, thread_id) do update set
         event_id = excluded.event_id, event_pos = excluded.event_pos,
         event_sub = excluded.event_sub, ts = excluded.ts, pos = excluded.pos
       where (r.event_pos, r.event_sub) < (excluded.event_pos, excluded.event_sub)
       returning r.room_nid, r.user_nid, r.receipt_type, r.thread_id, r.pos)
   select k.event_pos as "eventPos", k.event_sub as "eventSub", m.pos
     from known k
     left join furthest f on f.nth = k.nth
     left join moved m on m.room_nid = f.room_nid and m.user_nid = f.user_nid
       and m.receipt_type = f.receipt_type and m.thread_id = f.thread_id
     order by k.nth`,
);

const receiptColumns = `
  r.room_nid as "roomNid", r.user_nid as "userNid", u.user_id as "userId",
  r.receipt_type as type, nullif(r.thread_id, '') as "threadId", r.event_id as "eventId",
  r.event_pos as "eventPos", r.event_sub as "eventSub", r.ts`;

const selectReceipts = statement<[number[], number[], number, number], Receipt>(
  'select_receipts',
  `select ${receiptColumns}
     from unnest($1::bigint[], $2::bigint[]) as w(room_nid, after_pos)
     join receipts r on r.room_nid = w.room_nid and r.pos > w.after_pos and r.pos <= $3
     join users u on u.user_nid = r.user_nid
     where r.receipt_type <> 'm.read.private' or r.user_nid = $4
     order by r.pos`,
);

const selectStream = statement<[number, number], ReceiptRow & { pos: number }>(
  'select_receipt_stream',
  `select ${receiptColumns}, r.pos, o.room_id as "roomId",
       exists (select from memberships m where m.user_nid = r.user_nid and m.room_nid = r.room_nid
         and m.is_local) as "isLocal"
     from receipts r join users u on u.user_nid = r.user_nid join rooms o on o.room_nid = r.room_nid
     where r.pos > $1 and r.pos <= $2 order by r.pos`,
);

const selectOwnReceipts = statement<[number, number[]], Receipt>(
  'select_own_receipts',
  `select ${receiptColumns}
     from receipts r join users u on u.user_nid = r.user_nid
     where r.room_nid = any($2) and r.user_nid = $1`,
);

/** An event and what it relates to. */
export interface RelationRow {
  eventId: string;
  relType: string | null;
  parentId: string | null;
}

/** Hops from an event towards the root of its thread; the number the spec recommends. */
const relationHopsMax = 3;

const relation = `case when e.content like '%"m.relates_to"%'
  then ${readableJson('e.content')} -> 'm.relates_to' end`;

const selectRelations = statement<[number, string], RelationRow>(
  'select_relations_upwards',
  `with recursive chain as (
     select e.event_id, 0 as hops, x.relation ->> 'rel_type' as rel_type,
         x.relation ->> 'event_id' as parent_id
       from events e cross join lateral (select ${relation} as relation) x
       where e.event_id = $2 and e.room_nid = $1 and e.pos is not null
     union all
     select e.event_id, c.hops + 1, x.relation ->> 'rel_type', x.relation ->> 'event_id'
       from chain c
       join events e on e.event_id = c.parent_id and e.room_nid = $1
       cross join lateral (select ${relation} as relation) x
       where c.hops < ${relationHopsMax} and c.rel_type is distinct from 'm.thread')
   select event_id as "eventId", rel_type as "relType", parent_id as "parentId"
     from chain order by hops`,
);

const selectMarkerMove = statement<
  [number, number, string],
  { isKnown: boolean; isAhead: boolean }
>(
  'select_fully_read_move',
  `select e.event_id is not null as "isKnown",
     c.event_id is null or (c.pos, c.sub) < (e.pos, e.sub) as "isAhead"
   from (select 1) one
   left join events e on e.event_id = $3 and e.room_nid = $1 and e.pos is not null
   left join account_data a
     on a.user_nid = $2 and a.room_nid = $1 and a.type = 'm.fully_read'
   left join events c on c.event_id = ${readableJson('a.content')} ->> 'event_id' and c.room_nid = $1
     and c.pos is not null`,
);

/** Receipts of one room after a position. */
export interface RoomSince {
  roomNid: number;
  /** Exclusive; -1: all. */
  afterPos: number;
}

export function createReceiptStore(database: Queryable) {
  return {
    /** Receipts of rooms, oldest change first, without others' private ones. */
    changed: (rooms: readonly RoomSince[], uptoPos: number, readerNid: number) =>
      database.query(selectReceipts, [
        rooms.map((room) => room.roomNid),
        rooms.map((room) => room.afterPos),
        uptoPos,
        readerNid,
      ]),
    /** All of a user's own receipts in rooms. */
    own: (userNid: number, roomNids: number[]) =>
      database.query(selectOwnReceipts, [userNid, roomNids]),
    /** Rows of the stream again. */
    stream: (afterPos: number, uptoPos: number) =>
      database.query(selectStream, [afterPos, uptoPos]),
    /** The event and what it relates to, up to the root of its thread; none: unknown event. */
    relations: (roomNid: number, eventId: string) =>
      database.query(selectRelations, [roomNid, eventId]),
    /** Whether the event is in the room, and after the user's fully-read marker. */
    async markerMove(roomNid: number, userNid: number, eventId: string) {
      return (await database.query(selectMarkerMove, [roomNid, userNid, eventId]))[0]!;
    },
  };
}

export type ReceiptStore = ReturnType<typeof createReceiptStore>;
