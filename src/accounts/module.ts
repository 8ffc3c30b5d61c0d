import type { AppserviceRegistrations } from '../appservices/registrations.ts';
import { createAccountThreepids } from './account-threepids.ts';
import type { Database } from '../database/database.ts';
import type { Questions } from '../federation-client/questions.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Bus } from '../streams/bus.ts';
import { createAuthenticator, type Authenticator } from './authentication.ts';
import type { AccountsConfig } from './config.ts';
import { createConnections } from './connections.ts';
import { createCredentials } from './credentials.ts';
import { createDevices } from './devices.ts';
import { createExternalIds } from './external-ids.ts';
import { createAccountDirectory } from './directory.ts';
import { accountEndpoints } from './endpoints/account.ts';
import { adminActionEndpoints } from './endpoints/admin-actions.ts';
import { adminDeviceEndpoints } from './endpoints/admin-devices.ts';
import { adminFeatureEndpoints } from './endpoints/admin-features.ts';
import { adminLookupEndpoints } from './endpoints/admin-lookups.ts';
import { adminTokenEndpoints } from './endpoints/admin-registration-tokens.ts';
import { adminUserEndpoints } from './endpoints/admin-users.ts';
import { adminEndpoints } from './endpoints/admin.ts';
import { deviceEndpoints } from './endpoints/devices.ts';
import { forServersEndpoints } from './endpoints/for-servers.ts';
import { loginEndpoints } from './endpoints/login.ts';
import { profileEndpoints } from './endpoints/profiles.ts';
import { registrationEndpoints } from './endpoints/registration.ts';
import type { LoginLimiter } from './limiter.ts';
import { createLoginTokens } from './login-tokens.ts';
import { builtInLoginTypes } from './login-types.ts';
import { createMemberProfiles, type MemberProfiles } from './member-profiles.ts';
import { createModeration } from './moderation.ts';
import { createOpenId } from './openid.ts';
import { createProfiles } from './profiles.ts';
import { createRemoteProfiles } from './remote-profiles.ts';
import { createRegistrationTokens } from './registration-tokens.ts';
import { registrationFlows } from './registration-flows.ts';
import { createRegistration } from './registration.ts';
import type { AccountServices, RoomVersionsOffered } from './services.ts';
import { createSessions } from './sessions.ts';
import { deleteExpiredTokens } from './store/tokens.ts';
import { createAccountEvents, type AccountEvents } from './subscribers.ts';
import type { ThreepidWork } from './threepid-work.ts';
import { createTokenCache } from './token-cache.ts';
import { addBuiltInStages, createReauthFlows, type ReauthFlows } from './ui-auth-stages.ts';
import { createUiAuth } from './ui-auth.ts';
import { createUserAdministration, type ConsentState } from './user-administration.ts';

export type { AccountSubscriber, AuthSession, ProfileChange, UserRef } from './subscribers.ts';
export type { LoginLimiter, LoginLimit } from './limiter.ts';
export type { AccountsConfig } from './config.ts';
export type { LoginType } from './login-types.ts';
export type { AccountServices } from './services.ts';
export type { AccountThreepids, ProvenThreepid } from './account-threepids.ts';
export { withoutThreepids, type ThreepidWork } from './threepid-work.ts';
export type { AccountRow } from './store/accounts.ts';
export { avatarsAmong } from './store/avatars.ts';
export { canonicalAddress } from './directory.ts';
export { canonicalMsisdn } from './phone-numbers.ts';
export { StageFailed, type UiAuth, type UiAuthStage } from './ui-auth.ts';

export interface AccountsNeeds {
  database: Database;
  bus: Bus;
  clock: Clock;
  config: AccountsConfig;
  appservices: AppserviceRegistrations;
  limiter: LoginLimiter;
  roomVersions: RoomVersionsOffered;
  sharesRoom(userNid: number, otherUserId: string): Promise<boolean>;
  /** To the servers of other users. */
  questions: Questions;
  threepids: ThreepidWork;
  /** Whether an application service says that there is such a user; it has registered it then. */
  isKnownElsewhere(userId: string): Promise<boolean>;
  /** What a user has accepted of the terms; null: nothing is known. */
  consentOf(userNid: number): Promise<ConsentState | null>;
}

export interface Accounts {
  endpoints: Endpoint[];
  authenticator: Authenticator;
  memberProfiles: MemberProfiles;
  events: AccountEvents;
  services: AccountServices;
  /** Writes what is gathered and forgets what is over; to be called every minute or so. */
  tidy(): Promise<void>;
  /** Writes what is gathered. */
  flush(): Promise<void>;
}

/** Accounts: who may use the server, their devices and sessions, their profiles. */
export function createAccounts(needs: AccountsNeeds): Accounts {
  const { database, bus, clock, config, appservices, limiter } = needs;
  const events = createAccountEvents();
  const cache = createTokenCache();
  // Whom a service may act as is another matter now.
  appservices.onReplaced(() => cache.clear());
  const connections = createConnections(database, clock);
  const directory = createAccountDirectory(database, config.serverName);
  const sessions = createSessions({ database, clock, config, bus, cache, events });
  const credentials = createCredentials({ database, clock, config, directory, limiter });
  const profiles = createProfiles({
    database,
    config,
    events,
    remoteProfile: createRemoteProfiles(needs.questions),
    isKnownElsewhere: (userId) => needs.isKnownElsewhere(userId),
  });
  const devices = createDevices({ database, clock, connections, sessions, events });
  const uiAuth = createUiAuth(database, clock, config.uiAuthTimeoutMs);
  const registrationTokens = createRegistrationTokens(database, clock);
  addBuiltInStages(uiAuth, { tokens: registrationTokens, credentials });
  const { serverName } = config;
  const registration = createRegistration({
    database,
    clock,
    config,
    appservices,
    directory,
    sessions,
    events,
  });
  const furtherReauthFlows: ReauthFlows[] = [];
  const services: AccountServices = {
    database,
    config,
    clock,
    appservices,
    authenticator: createAuthenticator({
      database,
      clock,
      bus,
      cache,
      connections,
      appservices,
      accountsExpire: config.accountsExpire,
      tracksAppserviceUsers: config.tracksAppserviceUsers,
      registerSender: registration.registerSender,
    }),
    connections,
    devices,
    directory,
    externalIds: createExternalIds(database),
    events,
    limiter,
    loginTokens: createLoginTokens(database, clock),
    loginTypes: builtInLoginTypes({ config, credentials, directory, appservices }),
    moderation: createModeration({
      database,
      serverName,
      directory,
      devices,
      profiles,
      sessions,
      events,
    }),
    openId: createOpenId(database, clock),
    profiles,
    reauthFlows: createReauthFlows(config, directory, furtherReauthFlows),
    furtherReauthFlows,
    registrationFlows: () =>
      registrationFlows({
        threepidFlows: needs.threepids.registrationFlows(),
        requiresToken: config.registration.requiresToken,
        requiresCaptcha: config.registration.requiresCaptcha,
        requiresTerms: config.registration.requiresTerms,
      }),
    registration,
    registrationTokens,
    roomVersions: needs.roomVersions,
    sessions,
    sharesRoom: needs.sharesRoom,
    threepids: createAccountThreepids(database, clock),
    threepidWork: needs.threepids,
    uiAuth,
    userAdministration: createUserAdministration(needs),
  };
  const declared = [
    ...loginEndpoints,
    ...registrationEndpoints,
    ...accountEndpoints,
    ...deviceEndpoints,
    ...profileEndpoints,
    ...adminEndpoints,
    ...adminUserEndpoints,
    ...adminActionEndpoints,
    ...adminLookupEndpoints,
    ...adminDeviceEndpoints,
    ...adminTokenEndpoints,
    ...adminFeatureEndpoints,
    ...forServersEndpoints,
  ];
  return {
    endpoints: bindEndpoints(declared, services),
    authenticator: services.authenticator,
    memberProfiles: createMemberProfiles(database, events, bus),
    events,
    services,
    async tidy() {
      await connections.flush();
      await Promise.all([
        connections.removeOld(config.connectionsKeptMs),
        uiAuth.removeOld(),
        database.query(deleteExpiredTokens, [clock.now()]),
      ]);
    },
    flush: () => connections.flush(),
  };
}
