import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { callsSection, readCalls } from './calls.ts';
import { accountValiditySection, readAccountValidity } from './account-validity.ts';
import { communitiesSection, readCommunities } from './communities.ts';
import { databaseSection, readDatabase } from './database.ts';
import { emailSection, readEmail } from './email.ts';
import {
  experimentalSection,
  readExperimental,
  readRendezvous,
  type ExperimentalFeatures,
} from './experimental.ts';
import { federationSection, readFederation } from './federation.ts';
import {
  listenersSection,
  readListeners,
  type CallAddress,
  type ListenerConfig,
} from './listeners.ts';
import { loggingSection } from './logging.ts';
import { noticesSection, readNotices } from './notices.ts';
import type { ValuesOf } from './option.ts';
import { OptionLoader } from './option-loader.ts';
import { appservicesSection } from './other-sections.ts';
import { mediaSection, readMedia } from './media.ts';
import { outboundSection, readOutbound } from './outbound.ts';
import { previewsSection, readPreviews } from './previews.ts';
import { pushSection, readPush } from './push.ts';
import { presenceSection, readPresence } from './presence.ts';
import { rateLimitsSection, readRateLimits, readServerLimits } from './rate-limits.ts';
import { readConfigFiles } from './read-files.ts';
import { readCaptcha, readRegistration, registrationSection } from './registration.ts';
import { readRooms, roomsSection } from './rooms.ts';
import { readRouting, routingSection, type RoutingConfig } from './routing.ts';
import { inertSections, sections } from './sections.ts';
import { readServerKeys, serverKeysSection } from './server-keys.ts';
import { readServer, serverSection, type WellKnownConfig } from './server.ts';
import { readSignIn, signInSection } from './sign-in.ts';
import { readSingleSignOn, singleSignOnSection } from './single-sign-on.ts';
import { readWorkers, workersSection, type WorkersConfig } from './workers.ts';
import { readThreepids, threepidsSection } from './threepids.ts';
import { readSearch, searchSection } from './search.ts';
import { readUserDirectory, userDirectorySection } from './user-directory.ts';

/** The configuration of a process, checked. Sections are named after what uses them. */
export interface Config {
  serverName: string;
  /** Without a slash at the end; null when not set. */
  publicBaseUrl: string | null;
  /** Holds everything the server keeps on its own: database, keys. */
  dataDir: string;
  /** As a line of a key file; null: it is in the file, which is made when there is none. */
  signingKey: string | null;
  signingKeyPath: string;
  pidFile: string | null;
  logLevel: 'debug' | 'info' | 'warn' | 'error';
  listeners: ListenerConfig[];
  /** Null: a free port of this machine. */
  callsAt: CallAddress | null;
  tls: { certificatePath: string | null; keyPath: string | null };
  /** Null: the server's own PostgreSQL. Else options of the connection. */
  database: Record<string, unknown> | null;
  rateLimits: ReturnType<typeof readRateLimits>;
  /** What holds other servers back. */
  serverLimits: ReturnType<typeof readServerLimits>;
  accounts: ReturnType<typeof readAccounts>;
  singleSignOn: ReturnType<typeof readSingleSignOn>;
  rooms: ReturnType<typeof readRooms>;
  presence: ReturnType<typeof readPresence>;
  email: ReturnType<typeof readEmail>;
  threepids: ReturnType<typeof readThreepids>;
  communities: ReturnType<typeof readCommunities>;
  notices: ReturnType<typeof readNotices>;
  calls: ReturnType<typeof readCalls>;
  userDirectory: ReturnType<typeof readUserDirectory>;
  search: ReturnType<typeof readSearch>;
  push: ReturnType<typeof readPush>;
  experimental: ExperimentalFeatures;
  rendezvous: ReturnType<typeof readRendezvous>;
  accountValidity: ReturnType<typeof readAccountValidity>;
  media: ReturnType<typeof readMedia>;
  previews: ReturnType<typeof readPreviews>;
  outbound: ReturnType<typeof readOutbound>;
  federation: ReturnType<typeof readFederation>;
  serverKeys: ReturnType<typeof readServerKeys>;
  workers: WorkersConfig;
  routing: RoutingConfig;
  appserviceFiles: string[];
  /** Application services are sent their tokens in the query as well. */
  appserviceTokenInQuery: boolean;
  wellKnown: WellKnownConfig;
}

export interface LoadedConfig {
  config: Config;
  /** What an admin should know, one line each. */
  warnings: string[];
}

/** What accounts, log-in and profiles are configured by. */
function readAccounts(
  loader: OptionLoader,
  { serverName, publicBaseUrl, wellKnown }: ReturnType<typeof readServer>,
  profiles: ValuesOf<typeof presenceSection.options>,
  others: {
    forgetsRoomsOnLeave: boolean;
    needsThreepid: boolean;
    requiresTerms: boolean;
    accountsExpire: boolean;
    tracksAppserviceUsers: boolean;
  },
) {
  const registration = loader.take(registrationSection);
  return {
    serverName,
    registration: readRegistration(loader, registration, others),
    captcha: readCaptcha(loader, registration),
    ...readSignIn(loader, loader.take(signInSection)),
    profiles: {
      allowDisplayName: registration.enable_set_displayname,
      allowAvatarUrl: registration.enable_set_avatar_url,
      requireAuth: profiles.require_auth_for_profile_requests,
      onlyRoomMates: profiles.limit_profile_requests_to_users_who_share_rooms,
      allowFederation: profiles.allow_profile_lookup_over_federation,
    },
    allowThreepidChanges: registration.enable_3pid_changes,
    forgetsRoomsOnLeave: others.forgetsRoomsOnLeave,
    accountsExpire: others.accountsExpire,
    tracksAppserviceUsers: others.tracksAppserviceUsers,
    connectionsKeptMs: registration.user_ips_max_age,
    wellKnown:
      publicBaseUrl === null
        ? null
        : { ...wellKnown.client, 'm.homeserver': { base_url: `${publicBaseUrl}/` } },
  };
}

function read(loader: OptionLoader, folder: string): Config {
  const serverValues = loader.take(serverSection);
  const threepids = readThreepids(loader, loader.take(threepidsSection));
  const server = readServer(loader, serverValues, folder, threepids.defaultIdentityServer);
  const presence = loader.take(presenceSection);
  const accountValidity = readAccountValidity(loader, loader.take(accountValiditySection));
  const notices = readNotices(loader, loader.take(noticesSection), folder);
  const experimental = loader.take(experimentalSection);
  const rooms = readRooms(loader, loader.take(roomsSection), server.serverName);
  const appservices = loader.take(appservicesSection);
  const workers = readWorkers(loader, loader.take(workersSection));
  const outbound = readOutbound(loader.take(outboundSection));
  const federation = readFederation(loader, loader.take(federationSection), outbound);
  const rates = loader.take(rateLimitsSection);
  const isWorker = workers.app !== null && workers.app !== 'homeserver';
  return {
    ...server,
    pidFile: isWorker ? workers.pidFile : server.pidFile,
    ...readListeners(loader, loader.take(listenersSection), {
      isOnlyOnLoopback: serverValues.only_on_loopback,
      isWorker,
    }),
    logLevel: loader.take(loggingSection).log_level,
    database: readDatabase(loader, loader.take(databaseSection)),
    rateLimits: readRateLimits(rates),
    serverLimits: readServerLimits(rates),
    accounts: readAccounts(loader, server, presence, {
      forgetsRoomsOnLeave: rooms.forgetsRoomsOnLeave,
      needsThreepid: threepids.required.length > 0,
      accountsExpire: accountValidity !== null,
      tracksAppserviceUsers: appservices.track_appservice_user_ips,
      requiresTerms: notices.consent?.isNeededToRegister ?? false,
    }),
    singleSignOn: readSingleSignOn(
      loader,
      loader.take(singleSignOnSection),
      server.publicBaseUrl ?? `https://${server.serverName}`,
    ),
    rooms,
    presence: readPresence(loader, presence),
    email: readEmail(loader, loader.take(emailSection)),
    threepids,
    communities: readCommunities(loader.take(communitiesSection), server.serverName),
    notices,
    calls: readCalls(loader, loader.take(callsSection)),
    userDirectory: readUserDirectory(loader.take(userDirectorySection)),
    search: readSearch(loader.take(searchSection)),
    push: readPush(loader.take(pushSection)),
    accountValidity,
    experimental: readExperimental(experimental),
    rendezvous: readRendezvous(loader, experimental, server.publicBaseUrl),
    media: readMedia(loader, loader.take(mediaSection), server),
    previews: readPreviews(loader, loader.take(previewsSection)),
    outbound,
    federation,
    serverKeys: readServerKeys(
      loader,
      loader.take(serverKeysSection),
      federation.verifiesCertificates,
    ),
    workers,
    routing: readRouting(loader.take(routingSection)),
    appserviceFiles: appservices.app_service_config_files,
    appserviceTokenInQuery: appservices.use_appservice_legacy_authorization,
  };
}

/** Reads the configuration out of files and folders, later ones win. Throws ConfigError. */
export async function loadConfig(paths: readonly string[]): Promise<LoadedConfig> {
  const loader = new OptionLoader(await readConfigFiles(paths));
  const first = paths[0]!;
  const config = read(loader, (await stat(first)).isDirectory() ? first : dirname(first));
  for (const section of inertSections) loader.take(section);
  const known = new Set(sections.flatMap(({ options }) => Object.keys(options)));
  return { config, warnings: loader.finish(known) };
}
