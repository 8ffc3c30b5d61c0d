import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

export interface FoundUser {
  userId: string;
  displayName: string | null;
  avatarUrl: string | null;
}

export interface SearchParams {
  searcherNid: number;
  /** At least one; each is the beginning of a word. The longest goes first. */
  words: readonly string[];
  /** The whole term as it is compared. */
  term: string;
  /** The beginning of the server name, when the term was a user id; else empty. */
  serverPrefix: string;
  findsAll: boolean;
  excludesRemote: boolean;
  showsLocked: boolean;
  prefersLocal: boolean;
  excludedUserIds: readonly string[];
  limit: number;
}

/** Users looked at for one search. Beyond it a term says too little for the best to be chosen. */
const candidatesMax = 200;
/** Entries of the index read for one search: 8,000 take 4 ms when a second word is looked for. */
const readMax = 8_000;
/** Where people from shared rooms are looked for when a term says too little. */
const sharedRoomsMax = 100;
const membersOfRoomMax = 200;
/** Sorts behind every word with the same beginning. */
const behindAll = '\u{10FFFF}';

type Params = [
  low: string,
  high: string,
  lows: string[],
  highs: string[],
  searcherNid: number,
  findsAll: boolean,
  excludesRemote: boolean,
  showsLocked: boolean,
  excludedUserIds: string[],
  words: string[],
  term: string,
  serverPrefix: string,
  prefersLocal: boolean,
  limit: number,
];

/**
 * A parameter whose value the planner does not look at. Otherwise it would make a plan for every
 * search, which takes longer than the search.
 */
const given = (parameter: string) => `(select ${parameter})`;
const inRange = (word: string) =>
  `${word} >= ${given('$1::text')} and ${word} < ${given('$2::text')}`;
const isLocalEnough = `(is_local or not ${given('$7::boolean')})`;

const matchesAll = (userNid: string) => `not exists (
  select from unnest(${given('$3::text[]')}, ${given('$4::text[]')}) as t(low, high) where not exists (
    select from user_directory_words o
    where o.user_nid = ${userNid} and o.word >= t.low and o.word < t.high))`;

/** The best of the users in `found`. */
const ranked = `select d.user_id as "userId", d.display_name as "displayName",
     d.avatar_url as "avatarUrl"
   from (select distinct user_nid from found) f
     join user_directory d on d.user_nid = f.user_nid
   where (d.is_local or not ${given('$7::boolean')})
     and (${given('$8::boolean')} or not d.is_locked)
     and d.user_id <> all(${given('$9::text[]')}::text[])
     and (not ${given('$6::boolean')} or d.user_nid <> $5)
     and starts_with(substr(d.user_id, strpos(d.user_id, ':') + 1), ${given('$12::text')})
   order by
     (1 + 3 * (select count(*) from user_directory_words o
               where o.user_nid = d.user_nid and o.word = any(${given('$10::text[]')}::text[]))
        + case when substr(split_part(d.user_id, ':', 1), 2) = ${given('$11::text')} then 6 else 0 end
        + case when lower(d.display_name) = ${given('$11::text')} then 6 else 0 end)
     * (case when d.display_name is null then 1.0 else 1.2 end)
     * (case when d.avatar_url is null then 1.0 else 1.2 end)
     * (case when ${given('$13::boolean')} and d.is_local then 2.0 else 1.0 end) desc,
     lower(d.display_name) nulls last, d.user_id
   limit ${given('$14::integer')}`;

/**
 * The users whose words match, whoever they are; those of them count whom the searcher may find.
 * When there are too many to look at them all, the last row is empty.
 */
const selectFound = statement<Params, FoundUser | { userId: null }>(
  'user_directory.search',
  `with candidates as materialized (
     select w.user_nid, w.is_public
     from (select user_nid, is_public, is_local, word from user_directory_words
           where ${inRange('word')} and ${isLocalEnough}
           order by word limit ${readMax}) w
     where ${matchesAll('w.user_nid')} limit ${candidatesMax}
   ), found as (
     select c.user_nid from candidates c where ${given('$6::boolean')} or c.is_public or (
       select true from memberships a join memberships b on b.room_nid = a.room_nid
       where a.user_nid = $5 and a.membership = 'join' and b.membership = 'join'
         and b.user_nid = c.user_nid and b.user_nid <> $5 limit 1)
   )
   select * from (${ranked}) best
   union all select null, null, null where (select count(*) from candidates) >= ${candidatesMax}`,
);

/** For a term that many match: users of public rooms, and people from the searcher's rooms. */
const selectNear = statement<Params, FoundUser>(
  'user_directory.search_near',
  `with found as (
     select * from (
       select w.user_nid from (
         select user_nid, word from user_directory_words
         where is_public and ${inRange('word')} and ${isLocalEnough}
         order by word limit ${readMax}) w
       where ${matchesAll('w.user_nid')} limit ${candidatesMax}) public
     union all
     select b.user_nid from (
         select room_nid from memberships where user_nid = $5 and membership = 'join'
         order by pos desc limit ${sharedRoomsMax}) a
       cross join lateral (
         select user_nid from memberships m
         where m.room_nid = a.room_nid and m.membership = 'join' and m.user_nid <> $5
         limit ${membersOfRoomMax}) b
     where exists (select from user_directory_words o
         where o.user_nid = b.user_nid and ${inRange('o.word')})
       and ${matchesAll('b.user_nid')}
   )
   ${ranked}`,
);

/** Users whom the searcher may find, the best first. */
export async function findUsers(database: Queryable, search: SearchParams): Promise<FoundUser[]> {
  const [first, ...others] = search.words;
  const params: Params = [
    first!,
    first! + behindAll,
    others,
    others.map((word) => word + behindAll),
    search.searcherNid,
    search.findsAll,
    search.excludesRemote,
    search.showsLocked,
    [...search.excludedUserIds],
    [...search.words],
    search.term,
    search.serverPrefix,
    search.prefersLocal,
    search.limit,
  ];
  const rows = await database.query(selectFound, params);
  const found = rows.filter((row) => row.userId !== null);
  const isCut = found.length < rows.length;
  // Who finds everybody has the first of the words already.
  if (!isCut || search.findsAll || found.length >= search.limit) return found;
  return database.query(selectNear, params);
}
