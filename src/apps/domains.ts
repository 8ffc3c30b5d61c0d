import { createAccountData } from '../account-data/module.ts';
import { createCalls } from '../calls/module.ts';
import { createAccountValidity } from '../account-validity/module.ts';
import { createAccounts } from '../accounts/module.ts';
import type { AppserviceRegistrations } from '../appservices/registrations.ts';
import type { Config } from '../config/config.ts';
import type { Database } from '../database/database.ts';
import { createFederationRooms } from '../federation-rooms/module.ts';
import { createFederationClient } from '../federation-client/federation-client.ts';
import { createQuestions } from '../federation-client/questions.ts';
import type { Authenticate, AuthenticateServer } from '../http/dispatcher.ts';
import type { Endpoint } from '../http/endpoint.ts';
import { serverEndpoints } from '../http/endpoints.ts';
import { openApiOf } from '../http/openapi.ts';
import type { RateLimiter } from '../http/rate-limiter.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { Metrics } from '../kernel/metrics.ts';
import { version } from '../kernel/version.ts';
import { allInvited } from '../matrix/invite-permissions.ts';
import type { SigningKey } from '../matrix/signing.ts';
import { createKeyBackup } from '../key-backup/module.ts';
import { createOutboundHttp } from '../outbound/outbound-http.ts';
import { backgroundRole, everything } from './background.ts';
import { createPresence } from '../presence/module.ts';
import { createPush } from '../push/module.ts';
import { createReceipts } from '../receipts/module.ts';
import { createDelayedEvents } from '../delayed-events/module.ts';
import { createRelations } from '../relations/module.ts';
import {
  createInterned,
  createRooms,
  createStickyEventStore,
  withEventNames,
  worldReadable,
} from '../rooms/module.ts';
import type { Roles } from '../cluster/role.ts';
import type { Bus } from '../streams/bus.ts';
import type { Committer } from '../streams/committer.ts';
import { createRendezvous } from '../rendezvous/module.ts';
import { createSlidingSyncModule, durablePosOf } from '../sliding-sync/module.ts';
import { createSpaces } from '../spaces/module.ts';
import { createSync, type SyncSources } from '../sync/module.ts';
import { createThreadSubscriptions } from '../thread-subscriptions/module.ts';
import { createTyping } from '../typing/module.ts';
import { createUnread } from '../unread/module.ts';
import { createUserDirectory } from '../user-directory/module.ts';
import { followGuestAccess, membersOfAccounts } from './room-members.ts';
import {
  assembleBackOff,
  assembleFederationSender,
  heardBy,
  mayContact,
} from './federation-sender.ts';
import { assembleAdministration } from './administration.ts';
import { assembleEncryption } from './encryption.ts';
import { assembleFederation } from './federation.ts';
import { assembleFederationEdus } from './federation-edus.ts';
import { assembleAppservices } from './appservices.ts';
import { assembleAuthPages } from './auth-pages.ts';
import { assembleCommunities } from './communities.ts';
import { assembleNotices } from './notices.ts';
import { isWithin, loginLimiter } from './limits.ts';
import { switchedFeatures } from './switched-features.ts';
import { assembleMedia } from './media.ts';
import { assembleRoomAdmin } from './room-admin.ts';
import { roomVersionsOf } from './room-versions.ts';
import { assembleSearch } from './search.ts';
import { pushConfig, pushMail, withMailsForNew } from './push.ts';
import { assembleThreepids } from './threepids.ts';
import { wakeSyncs } from './wake-syncs.ts';

/** What every domain of a process is built on. */
export interface Foundation {
  config: Config;
  log: Log;
  database: Database;
  clock: Clock;
  bus: Bus;
  roles: Roles;
  committer: Committer;
  metrics: Metrics;
  limiter: RateLimiter;
  signingKey: SigningKey;
  /** Signs what is passed on of other servers' keys. */
  notaryKey: SigningKey;
  appservices: AppserviceRegistrations;
}

export interface Domains {
  endpoints: Endpoint[];
  authenticate: Authenticate;
  authenticateServer: AuthenticateServer;
  /** Forgets what is over; to be called every minute or so. */
  tidy(): Promise<void>;
  /** Writes what waits and stops timers. */
  close(): Promise<void>;
}

const headCacheBytes = 64 * 1024 * 1024;
/** How long a transaction id is known (client-server spec, "Transaction identifiers"). */
const transactionKeptMs = 24 * 60 * 60 * 1000;

/** Puts the domains of a process together. */
export function assembleDomains(foundation: Foundation): Domains {
  const { config, log, database, clock, bus, committer, metrics, limiter } = foundation;
  const { signingKey, roles } = foundation;
  const appservices = assembleAppservices(foundation, { accounts: () => accounts });
  const interned = createInterned(database);
  const events = withEventNames(database, interned);
  const { serverName } = config;

  const outbound = createOutboundHttp(config.outbound);
  const backOff = assembleBackOff(foundation);
  const federation = createFederationClient({
    config: config.federation,
    serverName,
    signingKey,
    clock,
    metrics,
    backOff,
  });
  const questions = createQuestions(federation, clock);
  const invitePermissionsOf = async (userId: string) => {
    const userNid = interned.cachedUser(userId) ?? (await interned.find(userId));
    return userNid === null ? allInvited : accountData.data.invitePermissions(userNid);
  };
  const sender = () => federationSender;
  const servers = assembleFederation(foundation, {
    federation,
    accounts: () => accounts,
    rooms: () => rooms.services,
    roomsForServers: () => roomsForServers,
    sender,
    keys: () => encryption.keys,
    invitePermissionsOf,
    expectUser: appservices.expect,
    edus: () => edus,
  });
  const { email, templates, threepids } = assembleThreepids(foundation, outbound, federation, {
    accounts: () => accounts,
    rooms: () => rooms,
    sender: () => federationSender,
  });
  const accounts = createAccounts({
    database,
    bus,
    clock,
    config: config.accounts,
    appservices: foundation.appservices,
    isKnownElsewhere: appservices.hasUser,
    limiter: loginLimiter(limiter),
    roomVersions: roomVersionsOf(config),
    async sharesRoom(userNid, otherUserId) {
      const other = await interned.find(otherUserId);
      return other !== null && rooms.services.members.share(userNid, other);
    },
    questions,
    consentOf: (userNid) => notices.consent.stateOf(userNid),
    threepids: withMailsForNew(threepids.accountWork, (user) => push.mailNewUser(user)),
  });
  const profiles = {
    async of(userId: string) {
      if (!userId.endsWith(`:${serverName}`)) return {};
      const userNid = interned.cachedUser(userId) ?? (await interned.find(userId)) ?? undefined;
      return accounts.memberProfiles.of({ userId, userNid });
    },
  };
  const rooms = createRooms({
    database,
    committer,
    bus,
    roles,
    interned,
    signingKey,
    federation,
    questions,
    clock,
    config: {
      ...config.rooms,
      hasStickyEvents: config.experimental.stickyEvents,
      limitsRedactionsOfOthers: Boolean(config.rateLimits.admin_redaction),
    },
    limits: limiter,
    profiles,
    inviteChecks: { permissionsOf: invitePermissionsOf, expect: appservices.expect },
    appserviceAliases: appservices.aliases,
    elsewhere: servers.elsewhere,
    forgotten: (room) => roomAdmin.forgotten(room),
    inviteByThreepid: threepids.inviteByThreepid,
    delayEvent: (wish) => delayedEvents.delay(wish),
    ignoredUsers: (userNid) => accountData.data.ignoredUsers(userNid),
    headCacheBytes,
    roomData: { carry: (...args) => accountData.carry(...args) },
    aggregations: { of: (...args) => relations.aggregations.of(...args) },
    erasedAmong: accounts.services.directory.erasedAmong,
  });
  const roomAdmin = assembleRoomAdmin(foundation, accounts, rooms.services, sender);
  const roomsForServers = createFederationRooms({ events, rooms: rooms.services });
  followGuestAccess(foundation, rooms.services, accounts.services.directory.guestsAmong);
  const delayedEvents = createDelayedEvents({
    database,
    bus,
    roles,
    clock,
    log,
    config: { delayMsMax: config.rooms.delayMsMax },
    rooms: rooms.services,
  });
  accounts.events.subscribe(delayedEvents.accountEvents);
  const accountData = createAccountData({
    database,
    committer,
    bus,
    clock,
    rooms: rooms.services.access,
    userIdOf: (userNid) => interned.userId(userNid),
    accountOf: accounts.services.moderation.anyAccount,
    ruleFeatures: config.experimental,
    filtersInvites: config.experimental.inviteFilters,
    emptyDeletes: config.experimental.emptyDeletes,
  });
  const notices = assembleNotices(foundation, { accounts, rooms, accountData });
  const accountValidity = createAccountValidity({
    config: config.accountValidity,
    database,
    clock,
    log,
    email,
    templates,
    accounts: accounts.services,
    baseUrl: config.publicBaseUrl ?? `https://${serverName}`,
  });
  accounts.events.subscribe(accountValidity.accountEvents);
  const authPages = assembleAuthPages(foundation, {
    accounts,
    consents: notices.consent.consents,
    outbound,
    templates,
    media: () => media,
  });
  const presence = createPresence({
    config: config.presence,
    clock,
    bus,
    roles,
    whoShares: (userNid, candidates) => rooms.services.joinedRooms.sharing(userNid, candidates),
    sharesRoom: (one, other) => rooms.services.members.share(one, other),
    userNidOf: (userId) => interned.find(userId),
    mayChange: (userId) => isWithin(limiter, 'presence', userId),
  });
  const receipts = createReceipts({
    clock,
    database,
    committer,
    bus,
    rooms: rooms.services.access,
    setRoomAccountData: (userNid, roomNid, type, content) =>
      accountData.data.set(userNid, roomNid, type, JSON.stringify(content)),
    noteActivity: presence.noteActivity,
  });
  const typing = createTyping({
    clock,
    bus,
    roles,
    rooms: rooms.services.access,
    noteActivity: presence.noteActivity,
  });
  const threadSubscriptions = createThreadSubscriptions({
    database,
    committer,
    bus,
    rooms: rooms.services,
    parsePos: durablePosOf,
  });
  accounts.events.subscribe(threadSubscriptions.accountEvents);
  const usedThreadSubscriptions = config.experimental.threadSubscriptions
    ? threadSubscriptions
    : null;
  const unread = createUnread({
    events,
    bus,
    receipts,
    threadSubscriptions: usedThreadSubscriptions,
    ruleFeatures: config.experimental,
    pushRules: (userNid) => accountData.data.pushRules(userNid),
    ignoredUsers: (userNid) => accountData.data.ignoredUsers(userNid),
  });
  const relations = createRelations({
    events,
    clock,
    rooms: rooms.services,
    ignoredUsers: (userNid) => accountData.data.ignoredUsers(userNid),
    userNidOf: (userId) => interned.find(userId),
  });
  const encryption = assembleEncryption({
    serverName,
    database,
    committer,
    bus,
    clock,
    log,
    interned,
    accounts,
    deviceListChanges: (reader, afterPos) => sync.deviceListChanges(reader, afterPos),
    federation,
    questions,
    tellsDeviceNames: config.federation.tellsDeviceNames,
    mayContact: mayContact(foundation),
  });
  const stickyEvents = createStickyEventStore(events);
  const syncSources: SyncSources = {
    ...encryption.sources,
    accountData: accountData.data,
    receipts,
    typing,
    presence: {
      changes: ({ userNid }, after, newlySharing) =>
        presence.eventsFor(userNid, after, newlySharing),
      syncing(user, setPresence) {
        notices.consent.noteSyncing(user);
        return presence.syncing(user, setPresence);
      },
    },
    unread,
    threadSubscriptions: usedThreadSubscriptions,
    stickyEvents: config.experimental.stickyEvents
      ? {
          inRooms: (ranges, uptoPos, limit) =>
            stickyEvents.inRooms(ranges, uptoPos, clock.now(), limit),
        }
      : null,
    worldReadable: (roomId, reader) => worldReadable(rooms.services, roomId, reader),
    aggregations: relations.aggregations,
    joinedRooms: rooms.services.joinedRooms,
    erasedAmong: accounts.services.directory.erasedAmong,
    retention: rooms.services.retention,
    filters: accountData.filters,
  };
  const sync = createSync({ events, bus, clock, sources: syncSources });
  const slidingSync = createSlidingSyncModule({
    database,
    events,
    bus,
    clock,
    sources: syncSources,
    parts: sync.parts,
    names: interned,
  });
  const eduParts = { interned, rooms, typing, receipts, presence, encryption };
  const edus = assembleFederationEdus(foundation, eduParts);
  wakeSyncs(bus, sync.views);
  encryption.wakeSyncs(sync.views);
  const userDirectory = createUserDirectory({
    database,
    bus,
    log,
    roles,
    config: config.userDirectory,
    excludedUserIds: appservices.senders,
  });
  accounts.events.subscribe(userDirectory.accountEvents);
  const search = assembleSearch(foundation, events, rooms.services, accountData);
  const push = createPush({
    config: pushConfig(config),
    database,
    events,
    bus,
    clock,
    log,
    metrics,
    roles,
    outbound,
    unread,
    ...pushMail(foundation),
    email,
    templates,
    accounts: accounts.services,
    retention: rooms.services.retention,
    pushRules: (userNid) => accountData.data.pushRules(userNid),
    ignoredUsers: (userNid) => accountData.data.ignoredUsers(userNid),
    invitePermissions: (userNid) => accountData.data.invitePermissions(userNid),
    threadSubscriptions: usedThreadSubscriptions,
    ruleFeatures: config.experimental,
  });
  accounts.events.subscribe(push.accountEvents);
  const keyBackup = createKeyBackup({ database });
  accounts.events.subscribe(keyBackup.accountEvents);
  accounts.events.subscribe(accountData.accountEvents);
  const media = assembleMedia(foundation, interned, federation);
  const { keys, toDevice } = encryption;
  const federationSender = assembleFederationSender(foundation, {
    federation,
    backOff,
    rooms: rooms.services,
    encryption,
    presence,
  });
  const appserviceSender = appservices.start({
    events,
    interned,
    rooms: rooms.services,
    keys,
    toDevice,
  });
  const rendezvous = createRendezvous({ database, clock, config: config.rendezvous });

  accounts.events.subscribe(membersOfAccounts(rooms.services, log));
  const administration = assembleAdministration(foundation, { accounts, rooms, userDirectory });

  const endpoints: Endpoint[] = [
    ...accounts.endpoints,
    ...authPages.endpoints,
    ...accountValidity.endpoints,
    ...notices.guard(rooms.endpoints),
    ...notices.endpoints,
    ...assembleCommunities(foundation, accounts).endpoints,
    ...accountData.endpoints,
    ...receipts.endpoints,
    ...typing.endpoints,
    ...presence.endpoints,
    ...sync.endpoints,
    ...slidingSync.endpoints,
    ...encryption.endpoints,
    ...userDirectory.endpoints,
    ...delayedEvents.endpoints,
    ...createCalls({ clock, config: config.calls }).endpoints,
    ...appserviceSender.endpoints,
    ...threepids.start(),
    ...(usedThreadSubscriptions?.endpoints ?? []),
    ...keyBackup.endpoints,
    ...relations.endpoints,
    ...administration.endpoints,
    ...roomAdmin.endpoints,
    ...search.endpoints,
    ...push.endpoints,
    ...createSpaces({ database, rooms: rooms.services, questions }).endpoints,
    ...rendezvous.endpoints,
    ...servers.endpoints,
    ...roomsForServers.endpoints,
    ...federationSender.endpoints,
    ...media.endpoints,
  ];
  endpoints.push(
    ...serverEndpoints({
      metrics,
      publicBaseUrl: config.publicBaseUrl,
      wellKnownServer: config.wellKnown.server,
      wellKnownClient: config.wellKnown.client,
      support: config.wellKnown.support,
      policyServerKeys: config.wellKnown.policyServerKeys,
      features: { ...rendezvous.features, ...switchedFeatures(config.experimental) },
      describe: () => openApiOf(endpoints, version),
    }),
  );

  return {
    endpoints,
    authenticate: (token, query, origin, options) =>
      accounts.authenticator.authenticate(token, query, origin, options),
    authenticateServer: heardBy(servers.authenticateServer, backOff),
    async tidy() {
      await Promise.all([accounts.flush(), media.tidy()]);
      if (!roles.holds(backgroundRole, everything)) return;
      await Promise.all([accounts.tidy(), threepids.tidy()]);
      await Promise.all([rendezvous.tidy(), delayedEvents.tidy(), authPages.tidy()]);
      await stickyEvents.deleteExpired(clock.now());
      await accountValidity.sweep();
      await encryption.tidy();
      await slidingSync.tidy();
      await search.index();
      await administration.tidy();
      await Promise.all([push.tidy(), federationSender.tidy(), roomAdmin.tidy()]);
      await rooms.forgetTransactions(clock.now() - transactionKeptMs);
    },
    async close() {
      typing.stop();
      media.close();
      presence.stop();
      await administration.stop();
      await Promise.all([userDirectory.stop(), delayedEvents.stop(), roomAdmin.stop()]);
      await search.stop();
      await push.stop();
      await Promise.all([federationSender.stop(), appserviceSender.stop()]);
      await backOff.stop();
      email.close();
      authPages.close();
      outbound.close();
      federation.close();
      await accounts.flush();
    },
  };
}
