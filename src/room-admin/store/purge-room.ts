import type { Queryable } from '../../database/database.ts';
import { statement, type Statement } from '../../database/statement.ts';

/** Of a room that was taken away. */
type Params = [roomNid: number, limit: number];
type Deletion = Statement<Params, { count: number }>;

const deletion = (name: string, text: string): Deletion =>
  statement(`purge_room.${name}`, `${text} select count(*)::int as count from gone`);

/** Some rows of a table that has the room's number. */
const rowsOf = (table: string): Deletion =>
  deletion(
    table,
    `with chosen as (select ctid from ${table} where room_nid = $1 limit $2),
     gone as (delete from ${table} where ctid = any(array(select ctid from chosen)) returning 1)`,
  );

/** The users of this server who were in the room, and its id. */
const removed = '(select room_id, local_nids from removed_rooms where room_nid = $1)';

/**
 * Rows of a table whose index begins with the user. A user has few of a room, so that all of them go
 * with the users that are taken at a time.
 */
const rowsOfUsers = (table: string, whose: string): Deletion =>
  deletion(
    table,
    `with chosen as (
       select t.ctid from ${removed} r cross join unnest(r.local_nids) as l(user_nid)
         join ${table} t on t.user_nid = l.user_nid and ${whose} limit $2),
     gone as (delete from ${table} where ctid = any(array(select ctid from chosen)) returning 1)`,
  );

// What the senders' requests have left behind goes along with their events.
const events = deletion(
  'events',
  `with gone as (
     delete from events where room_nid = $1 and event_nid in (
       select event_nid from events where room_nid = $1 order by event_nid limit $2)
     returning event_id, sender_nid, device_nid, txn_id),
   requests as (
     delete from sent_transactions s using gone
       where gone.txn_id is not null and s.user_nid = gone.sender_nid
         and s.device_nid = coalesce(gone.device_nid, 0) and s.txn_id = gone.txn_id
         and s.event_id = gone.event_id)`,
);

const featured = deletion(
  'community_featured',
  `with chosen as (
     select f.ctid from ${removed} r join community_featured f
       on f.kind = 'room' and f.target = r.room_id limit $2),
   gone as (
     delete from community_featured where ctid = any(array(select ctid from chosen)) returning 1)`,
);

/** Every table with rows of rooms; those of users first, which nobody else comes upon. */
const deletions: readonly Deletion[] = [
  rowsOfUsers('push_notifications', 't.room_nid = $1'),
  rowsOfUsers('backed_up_keys', 't.room_id = r.room_id'),
  rowsOf('account_data'),
  rowsOf('thread_subscriptions'),
  rowsOf('push_mail_throttles'),
  rowsOf('delayed_events'),
  rowsOf('server_notice_rooms'),
  rowsOf('reports'),
  rowsOf('community_rooms'),
  featured,
  rowsOf('receipts'),
  rowsOf('sticky_events'),
  rowsOf('searchable_events'),
  rowsOf('threads'),
  rowsOf('event_relations'),
  rowsOf('federation_passed_on_events'),
  rowsOf('event_state_differences'),
  rowsOf('room_extremities'),
  rowsOf('history_stretches'),
  rowsOf('event_auth'),
  rowsOf('room_state'),
  events,
  rowsOf('room_aliases'),
  rowsOf('room_facts'),
  rowsOf('memberships'),
];

/** Deletes what is left of rooms that were taken away. */
export const createRoomPurgeStore = (database: Queryable) => ({
  /** How many kinds of rows there are. */
  kinds: deletions.length,
  /** Deletes some rows of a kind; gives how many. Fewer than the limit: there are no more. */
  async deleteSome(kind: number, roomNid: number, limit: number): Promise<number> {
    return (await database.query(deletions[kind]!, [roomNid, limit]))[0]!.count;
  },
});

export type RoomPurgeStore = ReturnType<typeof createRoomPurgeStore>;
