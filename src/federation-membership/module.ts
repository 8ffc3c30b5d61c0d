import type { FederationClient } from '../federation-client/federation-client.ts';
import type { FederationRooms } from '../federation-rooms/module.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { FindServerKey } from '../matrix/received-pdu.ts';
import type { SigningKey } from '../matrix/signing.ts';
import type { Elsewhere, RoomServices } from '../rooms/module.ts';
import { inviteEndpoints } from './endpoints/invites.ts';
import { joinEndpoints } from './endpoints/joins.ts';
import { knockEndpoints } from './endpoints/knocks.ts';
import { leaveEndpoints } from './endpoints/leaves.ts';
import { createDeviceAnnouncer, type DeviceAnnouncerNeeds } from './announce-devices.ts';
import { createHandshake } from './handshake.ts';
import { createInvites } from './invites.ts';
import {
  createOthersMemberships,
  type OthersMemberships,
  type OthersMembershipsNeeds,
} from './others-memberships.ts';
import { createOwnMemberships, type ReceiveEvent } from './own-memberships.ts';
import {
  createReceivedInvites,
  type ReceivedInvites,
  type ReceivedInvitesNeeds,
} from './received-invites.ts';
import { limitedJoin, type RoomLimitNeeds } from './room-limit.ts';
import { createShownState, type ShownState } from './shown-state.ts';

export { residentRoom } from './resident-room.ts';

export interface MembershipNeeds {
  serverName: string;
  signingKey: SigningKey;
  federation: Pick<FederationClient, 'request'>;
  findKey: FindServerKey;
  /** Asked for when it is needed: rooms in turn need what this module does. */
  rooms: () => RoomServices;
  roomsForServers: () => Pick<FederationRooms, 'before' | 'complexityOf'>;
  receive: ReceiveEvent;
  roomLimit: RoomLimitNeeds['roomLimit'];
  passOn: OthersMembershipsNeeds['passOn'];
  announceDevices: DeviceAnnouncerNeeds['announceDevices'];
  users: ReceivedInvitesNeeds['users'];
  clock: Clock;
  log: Log;
}

/** What endpoints for other servers are made of. */
export interface Memberships {
  serverName: string;
  others: OthersMemberships;
  receivedInvites: ReceivedInvites;
  shownState: ShownState;
  roomBefore: FederationRooms['before'];
}

/** Joins, leaves, knocks and invites between servers. */
export function createFederationMembership(needs: MembershipNeeds): {
  elsewhere: Omit<Elsewhere, 'fillHistory' | 'fetchNearest'>;
  endpoints: Endpoint[];
} {
  const shownState = createShownState(needs.rooms);
  const handshake = createHandshake(needs);
  const own = createOwnMemberships({ ...needs, handshake });
  const complexityOf = (roomNid: number) => needs.roomsForServers().complexityOf(roomNid);
  const join = limitedJoin({ ...needs, complexityOf }, own.join, own.candidates);
  const { invite } = createInvites({ ...needs, shownState });
  const services: Memberships = {
    serverName: needs.serverName,
    others: createOthersMemberships(needs),
    receivedInvites: createReceivedInvites(needs),
    shownState,
    roomBefore: (roomId, eventId) => needs.roomsForServers().before(roomId, eventId),
  };
  const declared = [...joinEndpoints, ...leaveEndpoints, ...knockEndpoints, ...inviteEndpoints];
  const hasEntered = createDeviceAnnouncer(needs);
  return {
    elsewhere: { join, knock: own.knock, leave: own.leave, invite, hasEntered },
    endpoints: bindEndpoints(declared, services),
  };
}
