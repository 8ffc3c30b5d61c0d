import { boundedCache } from '../../kernel/bounded-cache.ts';
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

const selectNames = statement<[number[], number[]], { isUser: boolean; nid: number; name: string }>(
  'select_names',
  `select true as "isUser", user_nid as nid, user_id as name from users where user_nid = any($1)
   union all
   select false, type_nid, event_type from event_types where type_nid = any($2)`,
);

const selectUserNid = statement<[string], { userNid: number }>(
  'select_user_nid',
  'select user_nid as "userNid" from users where user_id = $1',
);

const selectUserNids = statement<[string[]], { userId: string; userNid: number }>(
  'select_user_nids',
  `select user_id as "userId", user_nid as "userNid" from users where user_id = any($1)`,
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
  /** The numbers of those of the users who have one already. */
  findAll(userIds: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** The names of numbers, when they are in memory. */
  cachedUserId(userNid: number): string | undefined;
  cachedTypeName(typeNid: number): string | undefined;
  /** Takes the names of numbers into memory. */
  loadNames(nids: { users: number[]; types: number[] }): Promise<void>;
  /** The user id of a number that has been given. */
  userId(userNid: number): string | Promise<string>;
}

export function createInterned(database: Queryable): Interned {
  const userNids = boundedCache<string, number>(cachedNamesMax);
  const typeNids = boundedCache<string, number>(cachedNamesMax);
  const userIds = boundedCache<number, string>(cachedNamesMax);

  const typeNames = boundedCache<number, string>(cachedNamesMax);

  function rememberUser(userId: string, userNid: number): void {
    userNids.set(userId, userNid);
    userIds.set(userNid, userId);
  }

  function rememberType(type: string, typeNid: number): void {
    typeNids.set(type, typeNid);
    typeNames.set(typeNid, type);
  }

  async function loadNames(nids: { users: number[]; types: number[] }): Promise<void> {
    for (const { isUser, nid, name } of await database.query(selectNames, [
      nids.users,
      nids.types,
    ])) {
      if (isUser) rememberUser(name, nid);
      else rememberType(name, nid);
    }
  }

  async function load(userNid: number): Promise<string> {
    await loadNames({ users: [userNid], types: [] });
    return userIds.get(userNid)!;
  }

  async function look(userId: string): Promise<number | null> {
    const [row] = await database.query(selectUserNid, [userId]);
    if (row) rememberUser(userId, row.userNid);
    return row?.userNid ?? null;
  }

  async function findAll(wanted: readonly string[]): Promise<Map<string, number>> {
    const found = new Map<string, number>();
    const missing: string[] = [];
    for (const userId of wanted) {
      const userNid = userNids.get(userId);
      if (userNid !== undefined) found.set(userId, userNid);
      // The database has no place for NUL.
      else if (!userId.includes('\0')) missing.push(userId);
    }
    if (missing.length === 0) return found;
    for (const { userId, userNid } of await database.query(selectUserNids, [missing])) {
      rememberUser(userId, userNid);
      found.set(userId, userNid);
    }
    return found;
  }

  return {
    async users(wanted) {
      const missing = wanted.filter((id) => !userNids.has(id));
      if (missing.length === 0) return;
      for (const row of await database.query(internUsers, [missing])) {
        rememberUser(row.user_id, row.user_nid);
      }
    },
    async types(types) {
      const missing = types.filter((type) => !typeNids.has(type));
      if (missing.length === 0) return;
      for (const row of await database.query(internTypes, [missing])) {
        rememberType(row.event_type, row.type_nid);
      }
    },
    cachedUser: (userId) => userNids.get(userId),
    cachedType: (type) => typeNids.get(type),
    find: (userId) => userNids.get(userId) ?? look(userId),
    findAll,
    cachedUserId: (userNid) => userIds.get(userNid),
    cachedTypeName: (typeNid) => typeNames.get(typeNid),
    loadNames,
    userId: (userNid) => userIds.get(userNid) ?? load(userNid),
  };
}
