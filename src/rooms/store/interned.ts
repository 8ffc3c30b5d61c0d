import { LRUCache } from 'lru-cache';
import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

const internUsers = statement<[string[]], { user_id: string; user_nid: number }>(
  'intern_users',
  `with wanted as (select distinct id from unnest($1::text[]) as w(id)),
   added as (
     insert into users (user_id)
       select id from wanted where not exists (select from users where user_id = id)
       on conflict (user_id) do update set user_id = excluded.user_id
       returning user_id, user_nid)
   select user_id, user_nid from added
   union all select u.user_id, u.user_nid from users u join wanted w on w.id = u.user_id`,
);

const internTypes = statement<[string[]], { event_type: string; type_nid: number }>(
  'intern_event_types',
  `with wanted as (select distinct name from unnest($1::text[]) as w(name)),
   added as (
     insert into event_types (event_type)
       select name from wanted where not exists (select from event_types where event_type = name)
       on conflict (event_type) do update set event_type = excluded.event_type
       returning event_type, type_nid)
   select event_type, type_nid from added
   union all select t.event_type, t.type_nid from event_types t
     join wanted w on w.name = t.event_type`,
);

const selectUserId = statement<[number], { userId: string }>(
  'select_user_id',
  'select user_id as "userId" from users where user_nid = $1',
);

const selectUserNid = statement<[string], { userNid: number }>(
  'select_user_nid',
  'select user_nid as "userNid" from users where user_id = $1',
);

/** Names kept in memory; about 200 bytes each. */
const cachedNamesMax = 200_000;

/** Small numbers for user ids and event types, cached: an id never changes once given. */
export interface Interned {
  /** The number of each name, made when new. Synchronous lookups come from `cachedUser`. */
  users(userIds: readonly string[]): Promise<void>;
  types(types: readonly string[]): Promise<void>;
  /** After `users([...])` has resolved for it; undefined when not in memory. */
  cachedUser(userId: string): number | undefined;
  cachedType(type: string): number | undefined;
  /** The number of a user who has one already, else null. */
  find(userId: string): number | null | Promise<number | null>;
  /** The user id of a number that has been given. */
  userId(userNid: number): string | Promise<string>;
}

export function createInterned(database: Queryable): Interned {
  const userNids = new LRUCache<string, number>({ max: cachedNamesMax });
  const typeNids = new LRUCache<string, number>({ max: cachedNamesMax });
  const userIds = new LRUCache<number, string>({ max: cachedNamesMax });

  async function load(userNid: number): Promise<string> {
    const { userId } = (await database.query(selectUserId, [userNid]))[0]!;
    userIds.set(userNid, userId);
    return userId;
  }

  async function look(userId: string): Promise<number | null> {
    const [row] = await database.query(selectUserNid, [userId]);
    if (row) userNids.set(userId, row.userNid);
    return row?.userNid ?? null;
  }

  return {
    async users(wanted) {
      const missing = wanted.filter((id) => !userNids.has(id));
      if (missing.length === 0) return;
      for (const row of await database.query(internUsers, [missing])) {
        userNids.set(row.user_id, row.user_nid);
      }
    },
    async types(types) {
      const missing = types.filter((type) => !typeNids.has(type));
      if (missing.length === 0) return;
      for (const row of await database.query(internTypes, [missing])) {
        typeNids.set(row.event_type, row.type_nid);
      }
    },
    cachedUser: (userId) => userNids.get(userId),
    cachedType: (type) => typeNids.get(type),
    find: (userId) => userNids.get(userId) ?? look(userId),
    userId: (userNid) => userIds.get(userNid) ?? load(userNid),
  };
}
