import type { AppserviceRegistrations } from '../appservices/registrations.ts';
import type { Database } from '../database/database.ts';
import type { Clock } from '../kernel/clock.ts';
import type { AccountThreepids } from './account-threepids.ts';
import type { Authenticator } from './authentication.ts';
import type { AccountsConfig } from './config.ts';
import type { Connections } from './connections.ts';
import type { Devices } from './devices.ts';
import type { ExternalIds } from './external-ids.ts';
import type { AccountDirectory } from './directory.ts';
import type { LoginLimiter } from './limiter.ts';
import type { LoginTokens } from './login-tokens.ts';
import type { LoginTypes } from './login-types.ts';
import type { Moderation } from './moderation.ts';
import type { OpenId } from './openid.ts';
import type { Profiles } from './profiles.ts';
import type { RegistrationTokens } from './registration-tokens.ts';
import type { Registration } from './registration.ts';
import type { Sessions } from './sessions.ts';
import type { AccountEvents } from './subscribers.ts';
import type { ThreepidWork } from './threepid-work.ts';
import type { UiAuth } from './ui-auth.ts';
import type { ReauthFlows } from './ui-auth-stages.ts';
import type { UserAdministration } from './user-administration.ts';

/** The room versions this server knows, for the capabilities. */
export interface RoomVersionsOffered {
  default: string;
  available: Record<string, 'stable' | 'unstable'>;
}

/** What the endpoints of this domain work with. */
export interface AccountServices {
  database: Database;
  config: AccountsConfig;
  clock: Clock;
  appservices: AppserviceRegistrations;
  authenticator: Authenticator;
  connections: Connections;
  devices: Devices;
  directory: AccountDirectory;
  externalIds: ExternalIds;
  events: AccountEvents;
  limiter: LoginLimiter;
  loginTokens: LoginTokens;
  loginTypes: LoginTypes;
  moderation: Moderation;
  openId: OpenId;
  profiles: Profiles;
  reauthFlows: ReauthFlows;
  /** Further ways for a user to authenticate once more; other domains add theirs. */
  furtherReauthFlows: ReauthFlows[];
  /** Stages a new user goes through; any one flow is enough. */
  registrationFlows: () => string[][];
  registration: Registration;
  registrationTokens: RegistrationTokens;
  roomVersions: RoomVersionsOffered;
  sessions: Sessions;
  sharesRoom: (userNid: number, otherUserId: string) => Promise<boolean>;
  threepids: AccountThreepids;
  threepidWork: ThreepidWork;
  uiAuth: UiAuth;
  userAdministration: UserAdministration;
}
