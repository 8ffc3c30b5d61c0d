import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

/** A user who is joined to a room. */
export interface JoinedUser {
  roomNid: number;
  roomId: string;
  userNid: number;
  userId: string;
}

const selectJoined = statement<[roomIds: string[], userIds: string[]], JoinedUser>(
  'edus.joined_users',
  `select r.room_nid as "roomNid", r.room_id as "roomId", u.user_nid as "userNid",
     u.user_id as "userId"
   from unnest($1::text[], $2::text[]) as w(room_id, user_id)
     join rooms r on r.room_id = w.room_id
     join users u on u.user_id = w.user_id
     join memberships m on m.user_nid = u.user_nid and m.room_nid = r.room_nid
       and m.membership = 'join'`,
);

const selectSharing = statement<[userIds: string[]], { userNid: number; userId: string }>(
  'edus.users_sharing_rooms',
  `select u.user_nid as "userNid", u.user_id as "userId" from users u
   where u.user_id = any($1) and exists (
     select from memberships m
       join memberships l on l.room_nid = m.room_nid and l.membership = 'join' and l.is_local
       where m.user_nid = u.user_nid and m.membership = 'join')`,
);

/** Users of other servers, and the rooms they are in. */
export function createRemoteUserStore(database: Queryable) {
  return {
    /** Those of the pairs of room and user of which the user is joined; one query. */
    joined: (pairs: readonly { roomId: string; userId: string }[]) =>
      database.query(selectJoined, [
        pairs.map(({ roomId }) => roomId),
        pairs.map(({ userId }) => userId),
      ]),
    /** Those who are in a room with a user of this server; one query. */
    sharing: (userIds: readonly string[]) => database.query(selectSharing, [[...userIds]]),
  };
}

export type RemoteUserStore = ReturnType<typeof createRemoteUserStore>;
