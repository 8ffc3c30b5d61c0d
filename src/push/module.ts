import type { AccountServices, AccountSubscriber, UserRef } from '../accounts/module.ts';
import type { Database, Queryable } from '../database/database.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { Email } from '../email/module.ts';
import type { Templates } from '../templates/module.ts';
import type { Clock } from '../kernel/clock.ts';
import { RulesetClasses } from '../matrix/push-rules/classes.ts';
import type { InvitePermissions } from '../matrix/invite-permissions.ts';
import type { RuleDifferences, RuleFeatures } from '../matrix/push-rules/rule.ts';
import type { Metrics } from '../kernel/metrics.ts';
import type { Log } from '../kernel/log.ts';
import type { OutboundHttp } from '../outbound/outbound-http.ts';
import type { Roles } from '../cluster/role.ts';
import type { Unread } from '../unread/module.ts';
import { pusherRole } from './streams.ts';
import type { Retention } from '../rooms/module.ts';

export { pusherRole } from './streams.ts';
import type { Bus } from '../streams/bus.ts';
import type { ThreadSubscriptions } from '../thread-subscriptions/module.ts';
import { getNotifications } from './endpoints/notifications.ts';
import { pusherEndpoints } from './endpoints/pushers.ts';
import { createBadges } from './badges.ts';
import type { PushConfig, PushMailConfig } from './config.ts';
import { createDispatch } from './dispatch.ts';
import { createGateway } from './gateway.ts';
import { createHolder } from './holder.ts';
import { createHttpPushes } from './http-pushes.ts';
import { createJudgedRooms } from './judged-rooms.ts';
import { createJudging } from './judging.ts';
import { createNotificationHistory } from './notification-history.ts';
import { unsubscribeEndpoints } from './endpoints/unsubscribe.ts';
import { createMailPushes } from './mail-pushes.ts';
import { createMailStore } from './store/mails.ts';
import { createUnsubscribeLinks } from './unsubscribe-links.ts';
import { createPushMetrics } from './push-metrics.ts';
import { createPushers } from './pushers.ts';
import { createNotificationStore } from './store/notifications.ts';
import { createPusherStore, type WantedPusher } from './store/pushers.ts';
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
  accounts: Pick<AccountServices, 'threepids' | 'profiles' | 'moderation' | 'userAdministration'>;
  /** Null: nobody is mailed. */
  mail: PushMailConfig | null;
  email: Email;
  templates: Templates;
  /** Signs links in mails; the same in every process. */
  secret: string;
  /** What links in mails begin with, without a slash at the end. */
  baseUrl: string;
  pushRules(userNid: number): Maybe<RuleDifferences>;
  ignoredUsers(userNid: number): Maybe<ReadonlySet<string>>;
  /** How long messages are shown. */
  retention: Retention;
  invitePermissions(userNid: number): Maybe<InvitePermissions>;
  /** Null: users do not subscribe to threads. */
  threadSubscriptions: Pick<ThreadSubscriptions, 'inRooms' | 'ofUsers'> | null;
  ruleFeatures: RuleFeatures;
}

export interface Push {
  endpoints: Endpoint[];
  accountEvents: AccountSubscriber;
  /** Somebody has registered with mail addresses, which are the account's by now. */
  mailNewUser(user: UserRef): Promise<void>;
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
  const classes = new RulesetClasses(needs.ruleFeatures);
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
    retention: needs.retention,
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
  const links = createUnsubscribeLinks(needs.secret, needs.baseUrl);
  const mailPushes =
    needs.mail &&
    createMailPushes({
      config: needs.mail,
      clock,
      log,
      email: needs.email,
      store: createMailStore(database),
      links,
      pushers,
      async displayNameOf({ userId }) {
        const { displayname } = await needs.accounts.profiles.get(userId);
        return typeof displayname === 'string' ? displayname : userId;
      },
    });
  const judgedRooms = createJudgedRooms({ bus, store: rooms, rulesOf, threadSubscriptions });
  const holder = createHolder({
    bus,
    clock,
    log,
    notifications,
    mailDelayMs: needs.mail?.delayMs ?? 0,
    store: pusherStore,
    rooms: judgedRooms,
    judging: createJudging({ bus, clock, rooms: judgedRooms, store: notifications }),
    dispatch: createDispatch({
      clock,
      log,
      notifications,
      store: pusherStore,
      tellerOf: ({ row }) => (row.kind === 'http' ? httpPushes : mailPushes),
    }),
  });
  if (config.isEnabled) {
    roles.serve(pusherRole, { methods: {}, taken: holder.taken, released: holder.released });
  }
  return {
    async mailNewUser({ userNid, userId }) {
      if (!needs.mail?.forNewUsers) return;
      const addresses = await needs.accounts.threepids.of(userNid);
      const owner = { userNid, userId, tokenNid: null, deviceNid: null };
      await Promise.all(
        addresses
          .filter(({ medium }) => medium === 'email')
          .map(({ address }) => pushers.set(owner, mailSettings(address), true)),
      );
    },
    tidy: () => holder.tidy(),
    stop: () => holder.stop(),
    endpoints: [
      ...bindEndpoints(pusherEndpoints, {
        pushers,
        hasSwitches: async (userNid) =>
          config.hasSwitches ||
          (await needs.accounts.userAdministration.featuresOf(userNid)).has('msc3881'),
        account: (userId) => needs.accounts.moderation.anyAccount(userId),
      }),
      ...bindEndpoints([getNotifications], { history }),
      ...bindEndpoints(unsubscribeEndpoints, { links, pushers, templates: needs.templates }),
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

/** The pusher of those who are mailed without having asked for it. */
const mailSettings = (address: string): WantedPusher => ({
  kind: 'email',
  appId: 'm.email',
  pushkey: address,
  appDisplayName: 'Email Notifications',
  deviceDisplayName: address,
  profileTag: null,
  lang: 'en',
  data: '{}',
  isEnabled: true,
  staysWithDevice: false,
});
