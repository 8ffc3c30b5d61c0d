import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import { eventColumns, type StoredEvent } from '../../rooms/module.ts';

/** References listed with an event; a client that wants more asks for its relations. */
const referencesMax = 100;

/** One thing to be bundled with an event: its newest edit, its thread, or an event that names it. */
export type BundledRow = StoredEvent & {
  parentId: string;
  kind: 'edit' | 'thread' | 'reference';
  /** Of a thread: its events but for the root. */
  count: number;
  /** Of a thread: the reader has written in it. */
  participates: boolean;
};

export interface ParentWanted {
  roomNid: number;
  eventId: string;
  /** Later events are not known to the reader. */
  uptoPos: number;
  senderNid: number;
  /** 0: the event has no edits. */
  editTypeNid: number;
}

const child = 'join events e on e.room_nid = r.room_nid and e.event_nid = r.event_nid';
const childOf = 'r.room_nid = p.room_nid and r.parent_id = p.event_id and r.pos <= p.upto_pos';
const shown = 'not r.sender_nid = any($7)';

const selectBundled = statement<
  [
    roomNids: number[],
    eventIds: string[],
    uptoPos: number[],
    senderNids: number[],
    editTypeNids: number[],
    readerNid: number,
    ignoredNids: number[],
  ],
  BundledRow
>(
  'relations.bundled',
  `with parents as materialized (
     select w.* from unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::int[])
       as w(room_nid, event_id, upto_pos, sender_nid, type_nid)
     where exists (select from event_relations r
       where r.room_nid = w.room_nid and r.parent_id = w.event_id))
   select p.event_id as "parentId", 'edit' as kind, 0 as count, false as participates,
     ${eventColumns}
   from parents p cross join lateral (
     select e.* from event_relations r ${child}
     where ${childOf} and r.rel_type = 'm.replace' and r.sender_nid = p.sender_nid
       and r.type_nid = p.type_nid and e.state_key is null and ${shown}
       and (e.content like '%"m.new_content":%' or r.type_nid =
         (select type_nid from event_types where event_type = 'm.room.encrypted'))
     order by e.origin_server_ts desc, e.event_id desc limit 1) e
   union all
   select p.event_id, 'thread', t.event_count - (
       select count(*)::int from event_relations r
       where ${childOf} and r.rel_type = 'm.thread' and r.sender_nid = any($7)),
     exists (select from event_relations r
       where ${childOf} and r.rel_type = 'm.thread' and r.sender_nid = $6),
     ${eventColumns}
   from parents p join threads t on t.room_nid = p.room_nid and t.root_id = p.event_id
   cross join lateral (
     select e.* from event_relations r ${child}
     where ${childOf} and r.rel_type = 'm.thread' and ${shown}
     order by r.pos desc, r.sub desc limit 1) e
   union all
   select p.event_id, 'reference', 0, false, ${eventColumns}
   from parents p cross join lateral (
     select e.* from event_relations r ${child}
     where ${childOf} and r.rel_type = 'm.reference' and ${shown}
     order by r.pos, r.sub limit ${referencesMax}) e`,
);

/** Reads what is bundled with events. `database` gives events with their names. */
export function createAggregationStore(database: Queryable) {
  return {
    bundled(parents: readonly ParentWanted[], readerNid: number, ignoredNids: readonly number[]) {
      const list = <K extends keyof ParentWanted>(key: K) => parents.map((parent) => parent[key]);
      return database.query(selectBundled, [
        list('roomNid'),
        list('eventId'),
        list('uptoPos'),
        list('senderNid'),
        list('editTypeNid'),
        readerNid,
        [...ignoredNids],
      ]);
    },
  };
}

export type AggregationStore = ReturnType<typeof createAggregationStore>;
