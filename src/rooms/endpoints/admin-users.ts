import { Type } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { isUserId } from '../../matrix/ids.ts';
import type { RoomServices } from '../services.ts';
import { federationEventJson } from '../stored-event.ts';

const declare = endpoint<RoomServices>();
const api = '/_synapse/admin/v1';
const shared = {
  auth: 'admin',
  runsOn: { group: 'admin', balance: 'none' },
  source: 'Synapse admin API, "User Admin API"',
  errors: ['M_FORBIDDEN', 'M_INVALID_PARAM'],
} as const;

/** Throws M_INVALID_PARAM. */
function userIdOf({ userId }: Record<string, string>): string {
  if (isUserId(userId!)) return userId!;
  throw new MatrixError('M_INVALID_PARAM', `Invalid user id: ${userId}`);
}

const joinedRooms = declare({
  ...shared,
  operation: 'adminUserJoinedRooms',
  method: 'GET',
  paths: [`${api}/users/:userId/joined_rooms`],
  summary: 'The rooms that a user, also of another server, is joined to',
  async handle({ params }, { userFacts }) {
    const all = await userFacts.memberships(userIdOf(params));
    const joined = all.filter(({ membership }) => membership === 'join');
    return { joined_rooms: joined.map(({ roomId }) => roomId), total: joined.length };
  },
});

const memberships = declare({
  ...shared,
  operation: 'adminUserMemberships',
  method: 'GET',
  paths: [`${api}/users/:userId/memberships`],
  summary: 'What a user, also of another server, is or was in rooms',
  async handle({ params }, { userFacts }) {
    const all = await userFacts.memberships(userIdOf(params));
    return {
      memberships: Object.fromEntries(all.map((one) => [one.roomId, one.membership])),
    };
  },
});

const sinceQuery = Type.Object({ from_ts: Type.Integer({ minimum: 0 }) });

const invitesSent = declare({
  ...shared,
  operation: 'adminUserSentInviteCount',
  method: 'GET',
  paths: [`${api}/users/:userId/sent_invite_count`],
  summary: 'How many invites a user has sent since a time',
  query: sinceQuery,
  async handle({ params, query }, { userFacts }) {
    return { invite_count: await userFacts.invitesSince(userIdOf(params), query.from_ts) };
  },
});

const roomsJoined = declare({
  ...shared,
  operation: 'adminUserCumulativeJoinedRoomCount',
  method: 'GET',
  paths: [`${api}/users/:userId/cumulative_joined_room_count`],
  summary: 'How many rooms a user has joined since a time, also those left again',
  query: sinceQuery,
  async handle({ params, query }, { userFacts }) {
    const count = await userFacts.roomsJoinedSince(userIdOf(params), query.from_ts);
    return { cumulative_joined_room_count: count };
  },
});

const fetchEvent = declare({
  ...shared,
  operation: 'adminFetchEvent',
  method: 'GET',
  paths: [`${api}/fetch_event/:eventId`],
  summary: 'An event as servers send it to each other, wherever it is',
  source: 'Synapse admin API, "Fetch Event"',
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND'],
  async handle({ params }, { userFacts, clock }) {
    const event = await userFacts.event(params['eventId']!);
    if (!event) throw new MatrixError('M_NOT_FOUND', 'Event not found');
    const raw = federationEventJson(event, event, { now: clock.now() });
    const { unsigned, ...pdu } = JSON.parse(raw) as { unsigned: object };
    const told = {
      ...unsigned,
      age_ts: event.originServerTs,
      ...(event.isSoftFailed ? { 'io.element.synapse.soft_failed': true } : {}),
    };
    return {
      event: { ...pdu, event_id: event.eventId, room_id: event.roomId, unsigned: told },
    };
  },
});

export const adminUserEndpoints = [joinedRooms, memberships, invitesSent, roomsJoined, fetchEvent];
