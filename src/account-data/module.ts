import type { Database } from '../database/database.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Bus } from '../streams/bus.ts';
import type { Committer } from '../streams/committer.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import {
  noRuleFeatures,
  type RuleDifferences,
  type RuleFeatures,
  type UserRule,
} from '../matrix/push-rules/rule.ts';
import { adminAccountData } from './endpoints/admin.ts';
import { accountDataEndpoints } from './endpoints/account-data.ts';
import { pushRuleEndpoints } from './endpoints/push-rules.ts';
import { tagAndFilterEndpoints, tagType } from './endpoints/tags-and-filters.ts';
import { createAccountEntries, rememberedTypes, type AccountData } from './entries.ts';
import type { RoomLookup } from './services.ts';
import { createStoredFilters, type StoredFilters } from './stored-filters.ts';
import { createAccountDataStore } from './store/account-data.ts';
import { createFilterStore } from './store/filters.ts';

export { accountDataStream, type AccountDataRow } from './streams.ts';
export type { AccountData, Entry } from './entries.ts';

export interface AccountDataNeeds {
  database: Database;
  committer: Committer;
  bus: Bus;
  clock: Clock;
  rooms: RoomLookup;
  userIdOf(userNid: number): Promise<string> | string;
  /** An account of this server. Throws M_INVALID_PARAM, M_NOT_FOUND. */
  accountOf(userId: string): Promise<{ userNid: number }>;
  /** Absent: the push rules of the specification. */
  ruleFeatures?: RuleFeatures;
  /** Whom users let invite them, and whom not, by lists (MSC4155). Absent: no lists. */
  filtersInvites?: boolean;
  /** An empty content deletes an entry (MSC3391). */
  emptyDeletes?: boolean;
}

export interface AccountDataModule {
  endpoints: Endpoint[];
  data: AccountData;
  filters: StoredFilters;
  /** Deactivated accounts keep nothing, and nobody the settings of devices that are gone. */
  accountEvents: {
    deactivated(user: { userNid: number }): Promise<void>;
    devicesDeleted(
      user: { userNid: number },
      devices: readonly { deviceId: string }[],
    ): Promise<void>;
  };
  /** Takes what a user has set for one room over to another: tags, push rules, being a direct chat. */
  carry(userNid: number, fromRoomId: string, toRoomId: string): Promise<void>;
}

/** Whether a device is to be silent, by its id (MSC3890). */
const deviceSettingsPrefix = 'org.matrix.msc3890.local_notification_settings.';

/** The rules with that for one room, if there is one, repeated for another. */
function withCarried(
  differences: RuleDifferences,
  fromRoomId: string,
  toRoomId: string,
): RuleDifferences {
  const rules = differences.own?.room ?? [];
  const rule = rules.find((known) => known.rule_id === fromRoomId);
  if (!rule || rules.some((known) => known.rule_id === toRoomId)) return differences;
  const carried: UserRule = { ...rule, rule_id: toRoomId };
  return { ...differences, own: { ...differences.own, room: [...rules, carried] } };
}

/** The direct chats, with a room wherever the one stands that it replaces. Null: there are none. */
function withDirect(content: string | null, fromRoomId: string, toRoomId: string): string | null {
  if (content === null) return null;
  let isChanged = false;
  const lists = Object.entries(JSON.parse(content) as JsonObject).map(([userId, rooms]) => {
    const isMissing =
      Array.isArray(rooms) && rooms.includes(fromRoomId) && !rooms.includes(toRoomId);
    isChanged ||= isMissing;
    return [userId, isMissing ? [...rooms, toRoomId] : rooms] as const;
  });
  return isChanged ? JSON.stringify(Object.fromEntries(lists)) : content;
}

/** What users keep on the server for themselves: account data, tags, push rules, filters. */
export function createAccountData(needs: AccountDataNeeds): AccountDataModule {
  const { database, committer, bus, clock, rooms } = needs;
  const { ruleFeatures = noRuleFeatures, filtersInvites = false } = needs;
  const store = createAccountDataStore(database);
  const data = createAccountEntries(store, committer, bus, needs.userIdOf, {
    ruleFeatures,
    filtersInvites,
  });
  const filters = createStoredFilters(createFilterStore(database));
  const { emptyDeletes = false, accountOf } = needs;
  const services = { clock, data, store, filters, rooms, emptyDeletes, accountOf };
  const declared = [
    adminAccountData,
    ...accountDataEndpoints,
    ...tagAndFilterEndpoints,
    ...pushRuleEndpoints,
  ];

  return {
    endpoints: bindEndpoints(declared, services),
    data,
    filters,
    accountEvents: {
      async deactivated({ userNid }) {
        // What processes remember of the user is forgotten by these rows.
        await Promise.all(rememberedTypes.map((type) => data.set(userNid, 0, type, null)));
        await store.deleteAll(userNid);
      },
      async devicesDeleted({ userNid }, devices) {
        const types = devices.map(({ deviceId }) => `${deviceSettingsPrefix}${deviceId}`);
        const set = await store.setAmong(userNid, types);
        await Promise.all(set.map((type) => data.set(userNid, 0, type, null)));
      },
    },
    async carry(userNid, fromRoomId, toRoomId) {
      const [from, to] = await Promise.all([
        rooms.of(fromRoomId, userNid),
        rooms.of(toRoomId, userNid),
      ]);
      if (!from || !to) return;
      const tags = await data.get(userNid, from.roomNid, tagType);
      if (tags !== null) await data.set(userNid, to.roomNid, tagType, tags);
      await data.changePushRules(userNid, (rules) => withCarried(rules, fromRoomId, toRoomId));
      await data.change(userNid, 0, 'm.direct', (content) =>
        withDirect(content, fromRoomId, toRoomId),
      );
    },
  };
}
