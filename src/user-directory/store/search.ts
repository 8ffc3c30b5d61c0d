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
const candidatesMax = 300;
/** Entries of the index read for one search. */
const readMax = 20_000;
/** People from shared rooms looked at when a term says too little. */
const roomMatesMax = 5_000;
/** Sorts behind every word with the same beginning. */
const behindAll = '\u{10FFFF}';

const matchesAll = (userNid: string) => `not exists (
  select from unnest($3::text[], $4::text[]) as t(low, high) where not exists (
    select from user_directory_words o
    where o.user_nid = ${userNid} and o.word >= t.low and o.word < t.high))`;

const shares = (userNid: string) => `exists (
  select from memberships a join memberships b on b.room_nid = a.room_nid
  where a.user_nid = $5 and a.membership = 'join' and b.membership = 'join'
    and b.user_nid = ${userNid} and b.user_nid <> $5)`;

/**
 * First the users whose words match, whoever they are; those of them count whom the searcher may
 * find. When there are too many to look at them all, users of public rooms and people from the
 * searcher's rooms are looked for instead.
 */
const selectFound = statement<
  [
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
  ],
  FoundUser
>(
  'user_directory.search',
  `with candidates as materialized (
     select w.user_nid, w.is_public
     from (select user_nid, is_public, is_local, word from user_directory_words
           where word >= $1 and word < $2 and (is_local or not $7)
           order by word limit ${readMax}) w
     where ${matchesAll('w.user_nid')} limit ${candidatesMax}
   ), found as (
     select c.user_nid from candidates c where $6 or c.is_public or ${shares('c.user_nid')}
     union
     select * from (
       select w.user_nid from user_directory_words w
       where w.is_public and w.word >= $1 and w.word < $2 and (w.is_local or not $7)
         and ${matchesAll('w.user_nid')}
       order by w.word limit ${candidatesMax}) public
     where not $6 and (select count(*) from candidates) >= ${candidatesMax}
     union
     select m.user_nid from (
       select distinct b.user_nid from memberships a join memberships b on b.room_nid = a.room_nid
       where a.user_nid = $5 and a.membership = 'join' and b.membership = 'join'
         and b.user_nid <> $5 limit ${roomMatesMax}) m
     where not $6 and (select count(*) from candidates) >= ${candidatesMax}
       and exists (select from user_directory_words o
         where o.user_nid = m.user_nid and o.word >= $1 and o.word < $2)
       and ${matchesAll('m.user_nid')}
   )
   select d.user_id as "userId", d.display_name as "displayName", d.avatar_url as "avatarUrl"
   from found f join user_directory d on d.user_nid = f.user_nid
   where (d.is_local or not $7) and ($8 or not d.is_locked) and d.user_id <> all($9)
     and (not $6 or d.user_nid <> $5)
     and ($12 = '' or starts_with(substr(d.user_id, strpos(d.user_id, ':') + 1), $12))
   order by
     (1 + 3 * (select count(*) from user_directory_words o
               where o.user_nid = d.user_nid and o.word = any($10))
        + case when substr(split_part(d.user_id, ':', 1), 2) = $11 then 6 else 0 end
        + case when lower(d.display_name) = $11 then 6 else 0 end)
     * (case when d.display_name is null then 1.0 else 1.2 end)
     * (case when d.avatar_url is null then 1.0 else 1.2 end)
     * (case when $13 and d.is_local then 2.0 else 1.0 end) desc,
     lower(d.display_name) nulls last, d.user_id
   limit $14`,
);

/** Users whom the searcher may find, the best first. */
export function findUsers(database: Queryable, search: SearchParams): Promise<FoundUser[]> {
  const [first, ...others] = search.words;
  return database.query(selectFound, [
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
  ]);
}
