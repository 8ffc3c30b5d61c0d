import type { AccountServices, AccountSubscriber } from '../accounts/module.ts';
import type { Database, Queryable } from '../database/database.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { Clock } from '../kernel/clock.ts';
import { RulesetClasses } from '../matrix/push-rules/classes.ts';
import type { InvitePermissions } from '../matrix/invite-permissions.ts';
import type { RuleDifferences } from '../matrix/push-rules/rule.ts';
import type { Metrics } from '../kernel/metrics.ts';
import type { Log } from '../kernel/log.ts';
import type { OutboundHttp } from '../outbound/outbound-http.ts';
import type { Roles } from '../cluster/role.ts';
import type { Unread } from '../unread/module.ts';
import { pusherRole } from './streams.ts';
import type { Bus } from '../streams/bus.ts';
import type { ThreadSubscriptions } from '../thread-subscriptions/module.ts';
import { getNotifications } from './endpoints/notifications.ts';
import { pusherEndpoints } from './endpoints/pushers.ts';
import { createBadges } from './badges.ts';
import type { PushConfig } from './config.ts';
import { createDispatch } from './dispatch.ts';
import { createGateway } from './gateway.ts';
import { createHolder } from './holder.ts';
import { createHttpPushes } from './http-pushes.ts';
import { createJudgedRooms } from './judged-rooms.ts';
import { createJudging } from './judging.ts';
import { createNotificationHistory } from './notification-history.ts';
import { createPushMetrics } from './push-metrics.ts';
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
  config: PushConfig;
  log: Log;
  metrics: Metrics;
  roles: Roles;
  outbound: Pick<OutboundHttp, 'fetch'>;
  unread: Pick<Unread, 'counts'>;
  accounts: Pick<AccountServices, 'threepids'>;
  pushRules(userNid: number): Maybe<RuleDifferences>;
  ignoredUsers(userNid: number): Maybe<ReadonlySet<string>>;
  invitePermissions(userNid: number): Maybe<InvitePermissions>;
  /** Null: users do not subscribe to threads. */
  threadSubscriptions: Pick<ThreadSubscriptions, 'inRooms' | 'ofUsers'> | null;
}

export interface Push {
  endpoints: Endpoint[];
  accountEvents: AccountSubscriber;
  /** Forgets what is over; for the process that does the work of the background, now and then. */
  tidy(): Promise<void>;
  stop(): Promise<void>;
}

/** Telling users of events on devices that do not sync. */
export function createPush(needs: PushNeeds): Push {
  const { database, bus, clock, log, config, roles, threadSubscriptions } = needs;
  const pusherStore = createPusherStore(database);
  const notifications = createNotificationStore(database, needs.events);
  const rooms = createPushRoomStore(database);
  const classes = new RulesetClasses({ threadSubscriptions: threadSubscriptions !== null });
  async function rulesOf(userNid: number) {
    const [differences, ignored, invites] = await Promise.all([
      needs.pushRules(userNid),
      needs.ignoredUsers(userNid),
      needs.invitePermissions(userNid),
    ]);
    return { rules: classes.of(differences), ignored, invites };
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
  const badges = createBadges({
    bus,
    store: rooms,
    unread: needs.unread,
    countsRooms: config.countsRooms,
  });
  const httpPushes = createHttpPushes({
    config,
    clock,
    log,
    gateway: createGateway(needs.outbound),
    metrics: createPushMetrics(needs.metrics, () => holder.pushers()),
    badgeOf: (user) => badges.of(user),
    async rejected({ row }) {
      log.info({ appId: row.appId, userId: row.userId }, 'a pushkey was rejected: removing');
      await pushers.remove(row.userNid, row.appId, row.pushkey);
    },
  });
  const judgedRooms = createJudgedRooms({ bus, store: rooms, rulesOf, threadSubscriptions });
  const holder = createHolder({
    bus,
    clock,
    log,
    notifications,
    store: pusherStore,
    rooms: judgedRooms,
    judging: createJudging({ bus, clock, rooms: judgedRooms, store: notifications }),
    dispatch: createDispatch({
      clock,
      log,
      notifications,
      store: pusherStore,
      tellerOf: ({ row }) => (row.kind === 'http' ? httpPushes : null),
    }),
  });
  if (config.isEnabled) {
    roles.serve(pusherRole, { methods: {}, taken: holder.taken, released: holder.released });
  }
  return {
    tidy: () => holder.tidy(),
    stop: () => holder.stop(),
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
