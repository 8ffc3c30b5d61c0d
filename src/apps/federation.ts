import type { Accounts } from '../accounts/module.ts';
import type { EduHandlers } from '../federation-edus/module.ts';
import type { FederationClient } from '../federation-client/federation-client.ts';
import {
  aboutEndpoints,
  createServerAuthenticator,
  getFederationWhitelist,
} from '../federation/module.ts';
import type { FederationRooms } from '../federation-rooms/module.ts';
import { createFederationHistory } from '../federation-history/module.ts';
import { createFederationInbound } from '../federation-inbound/module.ts';
import type { FederationSender } from '../federation-sender/module.ts';
import { createFederationMembership } from '../federation-membership/module.ts';
import type { AuthenticateServer } from '../http/dispatcher.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { InvitePermissions } from '../matrix/invite-permissions.ts';
import type { Keys } from '../keys/module.ts';
import type { Elsewhere, RoomServices } from '../rooms/module.ts';
import { createServerKeys } from '../server-keys/module.ts';
import type { Foundation } from './domains.ts';

export interface FederationParts {
  federation: FederationClient;
  accounts: () => Accounts;
  rooms: () => RoomServices;
  roomsForServers: () => FederationRooms;
  sender: () => FederationSender;
  keys: () => Keys;
  invitePermissionsOf(userId: string): Promise<InvitePermissions>;
  /** A user of this server is about to be invited: an application service may have to make it. */
  expectUser(userId: string): Promise<void>;
  /** Asked for when it is needed. */
  edus: () => EduHandlers;
}

export interface Federation {
  authenticateServer: AuthenticateServer;
  elsewhere: Elsewhere;
  endpoints: Endpoint[];
}

/** What this server does with other servers. */
export function assembleFederation(foundation: Foundation, parts: FederationParts): Federation {
  const { config, database, clock, log, limiter, metrics, signingKey, notaryKey } = foundation;
  const { federation, accounts, rooms, roomsForServers, sender, keys } = parts;
  const { invitePermissionsOf, expectUser, edus } = parts;
  const { serverName } = config;
  const { allowedServers, tellsAllowedServers } = config.federation;
  const { keyRing, endpoints } = createServerKeys({
    config: { serverName, ...config.serverKeys },
    database,
    federation,
    signingKey,
    notaryKey,
    clock,
  });
  const memberships = createFederationMembership({
    serverName,
    signingKey,
    federation,
    findKey: keyRing.find,
    rooms,
    roomsForServers,
    receive: (origin, room, event) => inbound.receive(origin, room, event),
    roomLimit: config.rooms.remoteRoomLimit,
    passOn: (event) => sender().passOn(event),
    announceDevices: (user) => keys().announce(user),
    users: {
      async isActive(userId) {
        await expectUser(userId);
        const account = await accounts().services.directory.byUserId(userId);
        return account !== null && !account.isDeactivated;
      },
      permissionsOf: invitePermissionsOf,
      takeInvite: (userId) => limiter.take('invite_user', userId),
    },
    clock,
    log,
  });
  const history = createFederationHistory({
    serverName,
    federation,
    findKey: keyRing.find,
    rooms,
    clock,
  });
  const inbound = createFederationInbound({
    serverName,
    federation,
    findKey: keyRing.find,
    rooms,
    edus,
    metrics,
    metricsDomains: config.federation.metricsDomains,
    clock,
    log,
  });
  return {
    authenticateServer: createServerAuthenticator({
      serverName,
      allowedServers,
      keyRing,
      clock,
    }),
    elsewhere: { ...memberships.elsewhere, ...history },
    endpoints: [
      ...endpoints,
      ...bindEndpoints(aboutEndpoints, {}),
      ...(tellsAllowedServers ? bindEndpoints([getFederationWhitelist], { allowedServers }) : []),
      ...memberships.endpoints,
      ...inbound.endpoints,
    ],
  };
}
