import type { BatchItem } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import { relationOf } from '../relation.ts';
import type { StoredEvent } from '../stored-event.ts';

type Params = [
  roomNids: number[],
  eventIds: string[],
  parentIds: string[],
  relTypes: string[],
  keys: (string | null)[],
];

const insertRelations = statement<Params, never>(
  'relations.insert',
  `with related as (
     insert into event_relations
         (room_nid, event_nid, parent_id, rel_type, key, type_nid, sender_nid, pos, sub)
       select e.room_nid, e.event_nid, w.parent_id, w.rel_type, w.key, e.type_nid, e.sender_nid,
         e.pos, e.sub
       from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[])
           as w(room_nid, event_id, parent_id, rel_type, key)
         join events e on e.event_id = w.event_id and e.room_nid = w.room_nid
       where e.pos is not null and e.status = 0
     on conflict do nothing
     returning room_nid, parent_id, rel_type, pos, sub),
   replies as (
     select room_nid, parent_id, count(*) as added, max(array[pos, sub]) as place
     from related where rel_type = 'm.thread' group by room_nid, parent_id)
   insert into threads (room_nid, root_id, event_count, last_pos, last_sub)
     select room_nid, parent_id, added, place[1], place[2] from replies
   on conflict (room_nid, root_id) do update set
     event_count = threads.event_count + excluded.event_count,
     (last_pos, last_sub) = (select p.pos, p.sub from (values
         (threads.last_pos, threads.last_sub), (excluded.last_pos, excluded.last_sub)) as p(pos, sub)
       order by p.pos desc, p.sub desc limit 1)`,
);

/**
 * Notes what events refer to; for the transaction that stores them, after them. Null: they refer
 * to nothing. Only those that are accepted and part of the timeline count.
 */
export function relationsItem(events: readonly StoredEvent[]): BatchItem | null {
  const params: Params = [[], [], [], [], []];
  for (const event of events) {
    const relation = relationOf(event);
    if (!relation) continue;
    params[0].push(event.roomNid);
    params[1].push(event.eventId);
    params[2].push(relation.parentId);
    params[3].push(relation.relType);
    params[4].push(relation.key);
  }
  return params[0].length > 0 ? { statement: insertRelations as never, params } : null;
}

/** Takes away what a redacted event, `emptied (room_nid, event_nid)`, referred to. */
export const withoutRelations = `
  gone as (
    delete from event_relations r using emptied x
      where r.room_nid = x.room_nid and r.event_nid = x.event_nid
      returning r.room_nid, r.event_nid, r.parent_id, r.rel_type),
  left_over as (
    select g.room_nid, g.parent_id, l.pos, l.sub from gone g
      left join lateral (
        select r.pos, r.sub from event_relations r
        where r.room_nid = g.room_nid and r.parent_id = g.parent_id and r.rel_type = 'm.thread'
          and r.event_nid <> g.event_nid
        order by r.pos desc, r.sub desc limit 1) l on true
      where g.rel_type = 'm.thread'),
  ended as (
    delete from threads t using left_over l
      where l.pos is null and t.room_nid = l.room_nid and t.root_id = l.parent_id)
  update threads t set event_count = t.event_count - 1, last_pos = l.pos, last_sub = l.sub
    from left_over l
    where l.pos is not null and t.room_nid = l.room_nid and t.root_id = l.parent_id`;
