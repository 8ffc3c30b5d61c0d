import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

/**
 * Deletes the events `doomed`, and all that hangs on them. State, forward extremities, and the ends of
 * what was fetched of the history are never among them, so that the state anywhere in the room, who may
 * see what, and where it goes on, stay as they were.
 */
const deleteDoomed = `
  gone as (
    delete from events e using doomed d
      where e.room_nid = d.room_nid and e.event_nid = d.event_nid),
  relations as (
    delete from event_relations r using doomed d
      where r.room_nid = d.room_nid and r.event_nid = d.event_nid
      returning r.room_nid, r.event_nid, r.parent_id, r.rel_type),
  shortened as materialized (
    select distinct room_nid, parent_id from relations where rel_type = 'm.thread'),
  replies as materialized (
    select r.room_nid, r.parent_id, count(*)::int as count, max(array[r.pos, r.sub]) as place
      from shortened s join event_relations r
        on r.room_nid = s.room_nid and r.parent_id = s.parent_id and r.rel_type = 'm.thread'
      where not exists (select from relations g
        where g.room_nid = r.room_nid and g.event_nid = r.event_nid)
      group by r.room_nid, r.parent_id),
  ended_threads as (
    delete from threads t using shortened s
      where t.room_nid = s.room_nid and t.root_id = s.parent_id and not exists (
        select from replies r where r.room_nid = s.room_nid and r.parent_id = s.parent_id)),
  shorter_threads as (
    update threads t set event_count = r.count, last_pos = r.place[1], last_sub = r.place[2]
      from replies r where t.room_nid = r.room_nid and t.root_id = r.parent_id),
  searchable as (
    delete from searchable_events s using doomed d
      where s.room_nid = d.room_nid and s.event_nid = d.event_nid),
  sticky as (
    delete from sticky_events s using doomed d
      where s.room_nid = d.room_nid and s.event_nid = d.event_nid),
  differences as (
    delete from event_state_differences s using doomed d
      where s.room_nid = d.room_nid and s.event_nid = d.event_nid),
  passed_on as (
    delete from federation_passed_on_events p using doomed d
      where p.room_nid = d.room_nid and p.event_nid = d.event_nid),
  requests as (
    delete from sent_transactions s using doomed d
      where d.txn_id is not null and s.user_nid = d.sender_nid
        and s.device_nid = coalesce(d.device_nid, 0) and s.txn_id = d.txn_id
        and s.event_id = d.event_id),
  notified as (
    delete from push_notifications n using doomed d, memberships m
      where m.room_nid = d.room_nid and m.is_local and n.user_nid = m.user_nid
        and n.pos = d.pos and n.room_nid = d.room_nid)`;

const columns = `e.room_nid, e.event_nid, e.pos, e.sub, e.event_id, e.state_key, e.sender_nid,
  e.device_nid, e.txn_id`;

const mayGo = `e.state_key is null
  and not exists (
    select from room_extremities x where x.room_nid = e.room_nid and x.event_nid = e.event_nid)
  and not exists (
    select from history_stretches h
    where h.room_nid = e.room_nid and e.event_nid in (h.top_nid, h.bottom_nid))`;

type PlaceParams = [
  ...[roomNid: number, afterPos: number, afterSub: number, toPos: number, toSub: number],
  ...[serverName: string | null, limit: number],
];

/** What was done; `read` null: nothing was left to look at. */
export interface PurgedPage {
  read: number;
  deleted: number;
  pos: number | null;
  sub: number | null;
}

const purgeUpToPlace = statement<PlaceParams, PurgedPage>(
  'purge_history.up_to_place',
  `with page as materialized (
     select ${columns} from events e
     where e.room_nid = $1 and e.pos is not null
       and (e.pos, e.sub) > ($2::bigint, $3::int) and (e.pos, e.sub) < ($4::bigint, $5::int)
     order by e.pos, e.sub limit $7),
   doomed as materialized (
     select e.* from page e join users u on u.user_nid = e.sender_nid
     where ${mayGo} and ($6::text is null
       or substr(u.user_id, strpos(u.user_id, ':') + 1) <> $6)),
   ${deleteDoomed}
   select (select count(*)::int from page) as read, (select count(*)::int from doomed) as deleted,
     l.pos, l.sub
   from (values (1)) one left join (
     select pos, sub from page order by pos desc, sub desc limit 1) l on true`,
);

// What was refused, and so is in no timeline.
const purgeRefused = statement<
  [roomNid: number, beforeNid: number, limit: number],
  { deleted: number }
>(
  'purge_history.refused',
  `with doomed as materialized (
     select ${columns} from events e
     where e.room_nid = $1 and e.event_nid < $2 and e.pos is null and e.status <> 0 and ${mayGo}
     limit $3),
   ${deleteDoomed}
   select count(*)::int as deleted from doomed`,
);

// The newest event stays, whatever its age.
const purgeUpToTime = statement<
  [roomNid: number, beforeTs: number, limit: number],
  { deleted: number }
>(
  'purge_history.up_to_time',
  `with newest as materialized (
     select e.event_nid from events e where e.room_nid = $1 and e.pos is not null
     order by e.pos desc, e.sub desc limit 1),
   doomed as materialized (
     select ${columns} from events e
     where e.room_nid = $1 and e.origin_server_ts < $2 and e.pos is not null and ${mayGo}
       and e.event_nid not in (select event_nid from newest)
     order by e.origin_server_ts limit $3),
   ${deleteDoomed}
   select count(*)::int as deleted from doomed`,
);

interface Place {
  pos: number;
  sub: number;
}

/** Deletes old messages of a room, the oldest first, so that no gap is ever seen. */
export const createHistoryPurgeStore = (database: Queryable) => ({
  /** Looks at some events between two places, exclusive. `spared`: the server whose events stay. */
  async upToPlace(
    roomNid: number,
    { after, to, spared, limit }: { after: Place; to: Place; spared: string | null; limit: number },
  ): Promise<PurgedPage> {
    const params: PlaceParams = [roomNid, after.pos, after.sub, to.pos, to.sub, spared, limit];
    return (await database.query(purgeUpToPlace, params))[0]!;
  },
  /** Events that were not accepted, of before a number; gives how many were deleted. */
  async refused(roomNid: number, beforeNid: number, limit: number): Promise<number> {
    return (await database.query(purgeRefused, [roomNid, beforeNid, limit]))[0]!.deleted;
  },
  /** Events that were sent before a time; gives how many were deleted. */
  async upToTime(roomNid: number, beforeTs: number, limit: number): Promise<number> {
    return (await database.query(purgeUpToTime, [roomNid, beforeTs, limit]))[0]!.deleted;
  },
});

export type HistoryPurgeStore = ReturnType<typeof createHistoryPurgeStore>;
