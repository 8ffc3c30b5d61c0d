import type { AccountServices, AccountSubscriber } from '../accounts/module.ts';
import type { Database, Queryable } from '../database/database.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { Clock } from '../kernel/clock.ts';
import { RulesetClasses } from '../matrix/push-rules/classes.ts';
import type { RuleDifferences } from '../matrix/push-rules/rule.ts';
import type { Bus } from '../streams/bus.ts';
import type { ThreadSubscriptions } from '../thread-subscriptions/module.ts';
import { getNotifications } from './endpoints/notifications.ts';
import { pusherEndpoints } from './endpoints/pushers.ts';
import { createNotificationHistory } from './notification-history.ts';
import { createPushers } from './pushers.ts';
import { createNotificationStore } from './store/notifications.ts';
import { createPusherStore } from './store/pushers.ts';
import { createPushRoomStore } from './store/rooms.ts';

export type { PushConfig, PushMailConfig } from './config.ts';

type Maybe<T> = Promise<T> | T;

export interface PushNeeds {
  database: Database;
  /** Gives events with their names: `withEventNames`. */
  events: Queryable;
  bus: Bus;
  clock: Clock;
  accounts: Pick<AccountServices, 'threepids'>;
  pushRules(userNid: number): Maybe<RuleDifferences>;
  ignoredUsers(userNid: number): Maybe<ReadonlySet<string>>;
  /** Null: users do not subscribe to threads. */
  threadSubscriptions: Pick<ThreadSubscriptions, 'inRooms'> | null;
}

export interface Push {
  endpoints: Endpoint[];
  accountEvents: AccountSubscriber;
}

/** Telling users of events on devices that do not sync. */
export function createPush(needs: PushNeeds): Push {
  const { database, bus, clock, threadSubscriptions } = needs;
  const pusherStore = createPusherStore(database);
  const notifications = createNotificationStore(database, needs.events);
  const rooms = createPushRoomStore(database);
  const classes = new RulesetClasses({ threadSubscriptions: threadSubscriptions !== null });
  async function rulesOf(userNid: number) {
    const [differences, ignored] = await Promise.all([
      needs.pushRules(userNid),
      needs.ignoredUsers(userNid),
    ]);
    return { rules: classes.of(differences), ignored };
  }
  const threepids = () => needs.accounts.threepids;
  const pushers = createPushers({ store: pusherStore, bus, clock, threepids });
  const history = createNotificationHistory({
    clock,
    notifications,
    rooms,
    rulesOf,
    threadSubscriptions,
  });
  return {
    endpoints: [
      ...bindEndpoints(pusherEndpoints, { pushers }),
      ...bindEndpoints([getNotifications], { history }),
    ],
    accountEvents: {
      deactivated: ({ userNid }) => pushers.removeAll(userNid),
      async devicesDeleted({ userNid }, devices) {
        const nids = devices.map(({ deviceNid }) => deviceNid);
        await pushers.removeOfDevices(userNid, nids);
      },
    },
  };
}
