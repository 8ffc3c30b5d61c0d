import type { LRUCache } from 'lru-cache';
import { boundedCache } from '../kernel/bounded-cache.ts';
import { MatrixError } from '../kernel/errors.ts';
import type { Bus } from '../streams/bus.ts';
import type { Committer } from '../streams/committer.ts';
import {
  allInvited,
  inviteFiltersIn,
  invitePermissionsIn,
  type InvitePermissions,
} from '../matrix/invite-permissions.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import { rulesetOf } from '../matrix/push-rules/ruleset.ts';
import type { RuleDifferences, RuleFeatures, Ruleset } from '../matrix/push-rules/rule.ts';
import { replaceEntry, upsertEntry, type AccountDataStore } from './store/account-data.ts';
import { accountDataStream } from './streams.ts';

export interface UserRef {
  userNid: number;
  userId: string;
}

/** Account data as clients see it; content is JSON text. */
export interface Entry {
  type: string;
  content: string;
}

/** The global entry that is not what clients see: what differs from the default push rules. */
export const pushRulesType = 'm.push_rules';
const ignoredUsersType = 'm.ignored_user_list';
const invitePermissionsType = 'm.invite_permission_config';
const inviteFiltersType = 'org.matrix.msc4155.invite_permission_config';
/** Global entries that processes remember. */
export const rememberedTypes = [
  pushRulesType,
  ignoredUsersType,
  invitePermissionsType,
  inviteFiltersType,
] as const;

/** Users whose ignored users and push rules are kept in memory. */
const cachedUsersMax = 50_000;

/** What users keep on the server for themselves. */
export interface AccountData {
  /** JSON text; null: not set. `roomNid` 0: global. */
  get(userNid: number, roomNid: number, type: string): Promise<string | null>;
  /** Null content deletes. */
  set(userNid: number, roomNid: number, type: string, content: string | null): Promise<void>;
  changes(
    userNid: number,
    afterPos: number,
  ): Promise<{ global: Entry[]; rooms: Map<number, Entry[]> }>;
  ignoredUsers(userNid: number): Promise<ReadonlySet<string>> | ReadonlySet<string>;
  pushRules(userNid: number): Promise<RuleDifferences> | RuleDifferences;
  /** Who may invite the user. */
  invitePermissions(userNid: number): Promise<InvitePermissions> | InvitePermissions;
  /** The user's push rules as clients see them. */
  ruleset(user: UserRef): Promise<Ruleset>;
  /** Kinds and rules of push rules that there are besides those of the specification. */
  readonly ruleFeatures: RuleFeatures;
  /**
   * Makes something else of an entry. `edit` gets what there is, and is called again when another
   * request was faster; what it throws is thrown. Null, or the same: nothing is written.
   */
  change(
    userNid: number,
    roomNid: number,
    type: string,
    edit: (content: string | null) => string | null,
  ): Promise<void>;
  changePushRules(
    userNid: number,
    edit: (differences: RuleDifferences) => RuleDifferences,
  ): Promise<void>;
}

/** Requests that change one entry at the same time; of so many one at least does not come last. */
const attemptsMax = 50;

/** Proposals that change what entries mean. */
export interface EntryFeatures {
  ruleFeatures: RuleFeatures;
  /** MSC4155 */
  filtersInvites: boolean;
}

const nobody: ReadonlySet<string> = new Set();

function ignoredIn(content: string | null): ReadonlySet<string> {
  if (content === null) return nobody;
  const { ignored_users: ignored } = JSON.parse(content) as { ignored_users?: unknown };
  if (typeof ignored !== 'object' || ignored === null) return nobody;
  return new Set(Object.keys(ignored));
}

export function createAccountEntries(
  store: AccountDataStore,
  committer: Committer,
  bus: Bus,
  userIdOf: (userNid: number) => Promise<string> | string,
  { ruleFeatures, filtersInvites }: EntryFeatures,
): AccountData {
  const ignored = boundedCache<number, ReadonlySet<string>>(cachedUsersMax);
  const rules = boundedCache<number, RuleDifferences>(cachedUsersMax);
  const invites = boundedCache<number, InvitePermissions>(cachedUsersMax);
  let rowsSeen = 0;

  bus.recoverWith(accountDataStream, async (afterPos, uptoPos) => {
    const rows = await store.stream(afterPos, uptoPos);
    return rows.map(({ pos, ...row }) => ({ pos, row }));
  });
  bus.subscribe(accountDataStream, (rows) => {
    for (const { row } of rows) {
      if (row.roomNid !== 0) continue;
      rowsSeen++;
      if (row.type === ignoredUsersType) ignored.set(row.userNid, ignoredIn(row.content));
      else if (row.type === pushRulesType) rules.set(row.userNid, differencesIn(row.content));
      else if (row.type === invitePermissionsType || row.type === inviteFiltersType) {
        invites.delete(row.userNid);
      }
    }
  });

  async function remembered<T extends object>(
    cache: LRUCache<number, T>,
    userNid: number,
    type: string,
    parse: (content: string | null) => T,
  ): Promise<T> {
    const before = rowsSeen;
    const value = parse(await store.entry(userNid, 0, type));
    if (before === rowsSeen) cache.set(userNid, value);
    return value;
  }

  async function invitePermissions(userNid: number): Promise<InvitePermissions> {
    const before = rowsSeen;
    const [stable, filters] = await Promise.all([
      store.entry(userNid, 0, invitePermissionsType),
      filtersInvites ? store.entry(userNid, 0, inviteFiltersType) : null,
    ]);
    const value = permissionsIn(stable, filters);
    if (before === rowsSeen) invites.set(userNid, value);
    return value;
  }

  /** Resolves when the processes that remember the entry have the new one. */
  async function known(roomNid: number, type: string): Promise<void> {
    if (roomNid === 0 && (rememberedTypes as readonly string[]).includes(type)) {
      await bus.delivered();
    }
  }

  const write: AccountData['set'] = (userNid, roomNid, type, content) =>
    committer.write<{ pos: number }, void>(
      { statement: upsertEntry as never, params: [userNid, roomNid, type, content] },
      (rows) => ({
        result: undefined,
        publish: rows.map(({ pos }) => ({
          stream: accountDataStream,
          pos,
          row: { userNid, roomNid, type, content },
        })),
      }),
    );

  const set: AccountData['set'] = async (userNid, roomNid, type, content) => {
    await write(userNid, roomNid, type, content);
    await known(roomNid, type);
  };

  /** False: another request was faster. */
  const replace = (key: [number, number, string], content: string, before: string | null) =>
    committer.write<{ pos: number }, boolean>(
      { statement: replaceEntry as never, params: [...key, content, before] },
      (rows) => ({
        result: rows.length > 0,
        publish: rows.map(({ pos }) => {
          const [userNid, roomNid, type] = key;
          return { stream: accountDataStream, pos, row: { userNid, roomNid, type, content } };
        }),
      }),
    );

  const change: AccountData['change'] = async (userNid, roomNid, type, edit) => {
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      // oxlint-disable-next-line no-await-in-loop -- it is read again because it has changed
      const before = await store.entry(userNid, roomNid, type);
      const content = edit(before);
      if (content === null || content === before) return;
      // oxlint-disable-next-line no-await-in-loop
      if (await replace([userNid, roomNid, type], content, before)) return known(roomNid, type);
    }
    throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many changes of the same data at once');
  };

  async function shownRules(userNid: number, content: string | null): Promise<string> {
    const ruleset = rulesetOf(differencesIn(content), await userIdOf(userNid), ruleFeatures);
    return JSON.stringify({ global: ruleset });
  }

  const pushRules: AccountData['pushRules'] = (userNid) =>
    rules.get(userNid) ?? remembered(rules, userNid, pushRulesType, differencesIn);

  return {
    ruleFeatures,
    pushRules,
    async ruleset({ userNid, userId }) {
      const content = await store.entry(userNid, 0, pushRulesType);
      return rulesetOf(differencesIn(content), userId, ruleFeatures);
    },
    get: (userNid, roomNid, type) => store.entry(userNid, roomNid, type),
    set,
    async changes(userNid, afterPos) {
      const rows = await store.changes(userNid, afterPos);
      const global: Entry[] = [];
      const rooms = new Map<number, Entry[]>();
      let hasRules = false;
      for (const { roomNid, type, content } of rows) {
        if (roomNid === 0 && type === pushRulesType) {
          hasRules = true;
          global.push({ type, content: await shownRules(userNid, content) });
          continue;
        }
        const entry = { type, content: content ?? '{}' };
        if (roomNid === 0) global.push(entry);
        else {
          const list = rooms.get(roomNid);
          if (list) list.push(entry);
          else rooms.set(roomNid, [entry]);
        }
      }
      if (afterPos < 0 && !hasRules) {
        global.push({ type: pushRulesType, content: await shownRules(userNid, null) });
      }
      return { global, rooms };
    },
    ignoredUsers: (userNid) =>
      ignored.get(userNid) ?? remembered(ignored, userNid, ignoredUsersType, ignoredIn),
    invitePermissions: (userNid) => invites.get(userNid) ?? invitePermissions(userNid),
    change,
    changePushRules: (userNid, edit) =>
      change(userNid, 0, pushRulesType, (content) => {
        const before = differencesIn(content);
        const after = edit(before);
        return after === before ? content : JSON.stringify(after);
      }),
  };
}

/** JSON texts; null: not set. What the specification has goes before the proposal. */
function permissionsIn(stable: string | null, filters: string | null): InvitePermissions {
  if (stable !== null) return invitePermissionsIn(JSON.parse(stable) as JsonObject);
  return filters === null ? allInvited : inviteFiltersIn(JSON.parse(filters) as JsonObject);
}

function differencesIn(content: string | null): RuleDifferences {
  return content === null ? {} : (JSON.parse(content) as RuleDifferences);
}
