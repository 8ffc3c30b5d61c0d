import type { Queryable } from '../../database/database.ts';
import { readableJson } from '../../database/readable-json.ts';
import { statement } from '../../database/statement.ts';

/** Rows of state looked at in one transaction. Those of one position are never parted. */
const stateRowsMax = 2_000;

const tryLock = statement<[], { isMine: boolean }>(
  'user_directory.lock',
  `select pg_try_advisory_xact_lock(hashtext('user_directory')) as "isMine"`,
);

const selectSpan = statement<[uptoPos: number, rowsMax: number], { from: number; upto: number }>(
  'user_directory.span',
  `select c.pos as "from", coalesce((
     select s.from_pos from room_state s
     where s.from_pos > c.pos and s.from_pos <= $1 order by s.from_pos offset $2 limit 1), $1) as upto
   from user_directory_cursor c`,
);

/** Rooms that have become public or private, and with them all who are in them. */
const followPublicRooms = statement<[fromPos: number, uptoPos: number], object>(
  'user_directory.follow_public_rooms',
  `with changed as materialized (
     select distinct s.room_nid from room_state s join event_types t using (type_nid)
     where s.from_pos > $1 and s.from_pos <= $2
       and t.event_type in ('m.room.join_rules', 'm.room.history_visibility')
   ), public as (
     -- Room by room: a plan over all rooms at once would look at all of their state.
     select c.room_nid from changed c where (
       select bool_or(case t.event_type
           when 'm.room.join_rules' then ${readableJson('e.content')} ->> 'join_rule' = 'public'
           else ${readableJson('e.content')} ->> 'history_visibility' = 'world_readable'
         end)
       from event_types t
         join room_state s on s.room_nid = c.room_nid and s.type_nid = t.type_nid
           and s.state_key = '' and s.to_pos = 9223372036854775807
         join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid
       where t.event_type in ('m.room.join_rules', 'm.room.history_visibility'))
   ), opened as (
     insert into user_directory_public_rooms (room_nid) select room_nid from public
     on conflict do nothing returning room_nid
   ), closed as (
     delete from user_directory_public_rooms where room_nid in (
       select room_nid from changed except select room_nid from public) returning room_nid
   )
   insert into user_directory_queue (user_nid)
     select distinct m.user_nid from memberships m
     where m.membership = 'join'
       and m.room_nid in (select room_nid from opened union all select room_nid from closed)`,
);

/**
 * Users whose membership changed; and everybody in rooms that local users have come into, or left,
 * so that there were none before, or are none now.
 */
const followMembers = statement<[fromPos: number, uptoPos: number], object>(
  'user_directory.follow_members',
  `with changed as materialized (
     select distinct s.room_nid, u.user_nid from room_state s
       join event_types t on t.type_nid = s.type_nid and t.event_type = 'm.room.member'
       join users u on u.user_id = s.state_key
     where s.from_pos > $1 and s.from_pos <= $2
   ), turned as (
     select distinct m.room_nid from changed c
       join memberships m on m.user_nid = c.user_nid and m.room_nid = c.room_nid
     where m.is_local and not exists (
       select from memberships o
       where o.room_nid = m.room_nid and o.membership = 'join' and o.is_local and not exists (
         select from changed k where k.room_nid = o.room_nid and k.user_nid = o.user_nid))
   )
   insert into user_directory_queue (user_nid)
     select user_nid from changed
     union select m.user_nid from turned t join memberships m on m.room_nid = t.room_nid
       and m.membership = 'join'`,
);

const moveCursor = statement<[pos: number], object>(
  'user_directory.move_cursor',
  `update user_directory_cursor set pos = $1`,
);

/** Of several processes one works at a time: false for the others. Held for the transaction. */
export async function holdsDirectory(tx: Queryable): Promise<boolean> {
  return (await tx.query(tryLock, []))[0]!.isMine;
}

/** Notes whom the next changes of state concern. False: there is more. */
export async function followState(tx: Queryable, uptoPos: number): Promise<boolean> {
  const [span] = await tx.query(selectSpan, [uptoPos, stateRowsMax]);
  const { from, upto } = span!;
  if (upto <= from) return true;
  await tx.query(followPublicRooms, [from, upto]);
  await tx.query(followMembers, [from, upto]);
  await tx.query(moveCursor, [upto]);
  return upto >= uptoPos;
}
