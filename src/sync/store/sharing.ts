import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

/** Of whom to find out whether they share a room with the reader. */
export interface SharingWanted {
  readerNid: number;
  /** Durable positions: after the first, up to the second. */
  afterPos: number;
  uptoPos: number;
  /** Rooms the reader has come to. */
  entered: readonly number[];
  /** Rooms the reader has left. */
  left: readonly number[];
  /** Joined rooms of which is not known who has come and gone. */
  unseen: readonly number[];
  /** Users who have come or gone. */
  userIds: readonly string[];
}

export interface SharingRow {
  userId: string;
  /** A room is shared now. */
  shares: boolean;
  /** It was shared before as well. */
  sharedBefore: boolean;
}

// Who comes to a room is among those who are there: the user's other devices look again as well.
const selectSharing = statement<
  [number, number, number, number[], number[], number[], string[]],
  SharingRow
>(
  'sync_sharing',
  `with candidates as materialized (
     select user_nid from memberships where room_nid = any($5) and membership = 'join'
     union
     select user_nid from users where user_id = any($7)
     union
     select m.user_nid from unnest($6::bigint[]) as w(room_nid)
       join event_types t on t.event_type = 'm.room.member'
       join room_state s on s.room_nid = w.room_nid and s.type_nid = t.type_nid
         and s.from_pos > $2 and s.from_pos <= $3
       join users u on u.user_id = s.state_key
       join memberships m on m.room_nid = w.room_nid and m.user_nid = u.user_nid
         and m.membership in ('join', 'leave', 'ban'))
   select u.user_id as "userId", true as shares, false as "sharedBefore"
     from memberships m join users u on u.user_nid = m.user_nid
     where m.room_nid = any($4) and m.membership = 'join'
   union
   select u.user_id, coalesce(s.shares, false), coalesce(s.before, false)
     from candidates c join users u on u.user_nid = c.user_nid
     left join lateral (
       select true as shares, bool_or(a.pos <= $2 and b.pos <= $2) as before
         from memberships b join memberships a on a.room_nid = b.room_nid and a.user_nid = $1
           and a.membership = 'join'
         where b.user_nid = c.user_nid and b.membership = 'join'
         having count(*) > 0) s on true
     where c.user_nid <> $1`,
);

/** Who shares rooms with whom; one query. */
export function createSharingStore(database: Queryable) {
  return {
    sharing: (wanted: SharingWanted) =>
      database.query(selectSharing, [
        wanted.readerNid,
        wanted.afterPos,
        wanted.uptoPos,
        [...wanted.entered],
        [...wanted.left],
        [...wanted.unseen],
        [...wanted.userIds],
      ]),
  };
}

export type SharingStore = ReturnType<typeof createSharingStore>;
