import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

/** What an entry is made of. */
export interface EntryFacts {
  userNid: number;
  userId: string;
  isLocal: boolean;
  isLocked: boolean;
  isPublic: boolean;
  /** JSON texts of a local user's profile. */
  displayName: string | null;
  avatarUrl: string | null;
  /** A remote user's newest member event, as JSON text; those of public rooms go first. */
  memberContent: string | null;
}

export interface Entry {
  userNid: number;
  userId: string;
  displayName: string | null;
  avatarUrl: string | null;
  isLocal: boolean;
  isLocked: boolean;
  isPublic: boolean;
  words: string[];
}

const selectIsQueued = statement<[], { isQueued: boolean }>(
  'user_directory.is_queued',
  `select exists (select from user_directory_queue) as "isQueued"`,
);

const takeQueued = statement<[max: number], { userNid: number }>(
  'user_directory.take_queued',
  `with taken as (
     delete from user_directory_queue where queue_nid in (
       select queue_nid from user_directory_queue order by queue_nid limit $1)
     returning user_nid
   ) select distinct user_nid as "userNid" from taken`,
);

/** No row for those who are not to be found. Rooms count that a local user is in. */
const selectFacts = statement<[userNids: number[]], EntryFacts>(
  'user_directory.facts',
  `with users_joined as (
     select m.user_nid, m.room_nid, m.event_nid, m.pos, p.room_nid is not null as is_public
     from memberships m left join user_directory_public_rooms p on p.room_nid = m.room_nid
     where m.user_nid = any($1) and m.membership = 'join' and exists (
       select from memberships o
       where o.room_nid = m.room_nid and o.membership = 'join' and o.is_local)
   ), newest as (
     select distinct on (j.user_nid) j.user_nid, j.is_public, e.content
     from users_joined j left join events e on e.room_nid = j.room_nid and e.event_nid = j.event_nid
     order by j.user_nid, j.is_public desc, j.pos desc
   )
   select u.user_nid as "userNid", u.user_id as "userId", a.user_nid is not null as "isLocal",
     coalesce(a.is_locked, false) as "isLocked", coalesce(n.is_public, false) as "isPublic",
     d.value as "displayName", v.value as "avatarUrl",
     case when a.user_nid is null then n.content end as "memberContent"
   from users u
     left join accounts a on a.user_nid = u.user_nid
     left join newest n on n.user_nid = u.user_nid
     left join profile_fields d on d.user_nid = u.user_nid and d.field = 'displayname'
     left join profile_fields v on v.user_nid = u.user_nid and v.field = 'avatar_url'
   where u.user_nid = any($1) and case when a.user_nid is null then n.user_nid is not null
     else not a.is_deactivated and a.user_type is distinct from 'support' end`,
);

const deleteEntries = statement<[userNids: number[]], object>(
  'user_directory.delete',
  `with words as (delete from user_directory_words where user_nid = any($1))
   delete from user_directory where user_nid = any($1)`,
);

const insertEntries = statement<
  [number[], string[], (string | null)[], (string | null)[], boolean[], boolean[], boolean[]],
  object
>(
  'user_directory.insert',
  `insert into user_directory
     (user_nid, user_id, display_name, avatar_url, is_local, is_locked, is_public)
   select * from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::boolean[],
     $6::boolean[], $7::boolean[])`,
);

const insertWords = statement<[number[], string[], boolean[], boolean[]], object>(
  'user_directory.insert_words',
  `insert into user_directory_words (user_nid, word, is_local, is_public)
   select * from unnest($1::bigint[], $2::text[], $3::boolean[], $4::boolean[])`,
);

/** Whether there are notes: asked every second, so it is no transaction. */
export async function hasQueue(database: Queryable): Promise<boolean> {
  return (await database.query(selectIsQueued, []))[0]!.isQueued;
}

/** Takes up to so many notes off the queue; the users they are of. */
export async function takeFromQueue(tx: Queryable, max: number): Promise<number[]> {
  return (await tx.query(takeQueued, [max])).map(({ userNid }) => userNid);
}

export const factsOf = (tx: Queryable, userNids: number[]) => tx.query(selectFacts, [userNids]);

/** Puts these entries in place of all that is known of the users. */
export async function replaceEntries(
  tx: Queryable,
  userNids: number[],
  entries: readonly Entry[],
): Promise<void> {
  await tx.query(deleteEntries, [userNids]);
  if (entries.length === 0) return;
  await tx.query(insertEntries, [
    entries.map((entry) => entry.userNid),
    entries.map((entry) => entry.userId),
    entries.map((entry) => entry.displayName),
    entries.map((entry) => entry.avatarUrl),
    entries.map((entry) => entry.isLocal),
    entries.map((entry) => entry.isLocked),
    entries.map((entry) => entry.isPublic),
  ]);
  const words = entries.flatMap((entry) => entry.words.map((word) => ({ entry, word })));
  await tx.query(insertWords, [
    words.map(({ entry }) => entry.userNid),
    words.map(({ word }) => word),
    words.map(({ entry }) => entry.isLocal),
    words.map(({ entry }) => entry.isPublic),
  ]);
}
