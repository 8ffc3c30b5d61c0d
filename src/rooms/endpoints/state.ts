import { Type } from 'typebox';
import { clientPaths, endpoint, JsonText } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { parsePlace } from '../../streams/position.ts';
import { positionOf } from '../read-page.ts';
import { readableState, visibilityOf } from '../read-access.ts';
import type { RoomServices } from '../services.ts';
import { clientEventJson, contentOf, type StoredEvent } from '../stored-event.ts';

const declare = endpoint<RoomServices>();
const runsOn = { group: 'client', balance: 'room' } as const;

function eventsJson(events: readonly StoredEvent[], roomId: string, now: number): string {
  return events.map((event) => clientEventJson(event, { roomId, now })).join(',');
}

const getRoomState = declare({
  operation: 'getRoomState',
  method: 'GET',
  paths: clientPaths('/rooms/:roomId/state'),
  auth: 'guest',
  runsOn,
  summary: 'The state of a room, as far as the user may see it',
  source: 'CS 1.19, getRoomState',
  errors: ['M_FORBIDDEN'],
  async handle({ params, requester }, services) {
    const roomId = params['roomId']!;
    const { access, atPos } = await readableState(services, roomId, requester);
    const events = await services.states.state(access.roomNid, atPos);
    return new JsonText(`[${eventsJson(events, roomId, services.clock.now())}]`);
  },
});

const getRoomStateWithKey = declare({
  operation: 'getRoomStateWithKey',
  method: 'GET',
  paths: [
    ...clientPaths('/rooms/:roomId/state/:eventType/:stateKey'),
    ...clientPaths('/rooms/:roomId/state/:eventType'),
  ],
  auth: 'guest',
  runsOn,
  summary: "One entry of a room's state: its content, or with `format=event` the event",
  source: 'CS 1.19, getRoomStateWithKey',
  query: Type.Object({
    format: Type.Optional(Type.Union([Type.Literal('content'), Type.Literal('event')])),
  }),
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND'],
  async handle({ params, query, requester }, services) {
    const { roomId, eventType, stateKey = '' } = params;
    const { access, atPos } = await readableState(services, roomId!, requester);
    const key = [eventType!, stateKey] as const;
    const [event] = await services.states.entries(access.roomNid, [key], atPos);
    if (!event) throw new MatrixError('M_NOT_FOUND', 'Event not found.');
    if (query.format !== 'event') return new JsonText(event.content);
    const now = services.clock.now();
    return new JsonText(clientEventJson(event, { roomId: roomId!, now }));
  },
});

const membershipName = Type.Union(
  (['join', 'invite', 'leave', 'ban', 'knock'] as const).map((name) => Type.Literal(name)),
);

const getMembersByRoom = declare({
  operation: 'getMembersByRoom',
  method: 'GET',
  paths: clientPaths('/rooms/:roomId/members'),
  auth: 'guest',
  runsOn,
  summary: 'The member events of a room',
  source: 'CS 1.19, getMembersByRoom',
  query: Type.Object({
    at: Type.Optional(Type.String()),
    membership: Type.Optional(membershipName),
    not_membership: Type.Optional(membershipName),
  }),
  errors: ['M_FORBIDDEN', 'M_INVALID_PARAM'],
  async handle({ params, query, requester }, services) {
    const roomId = params['roomId']!;
    const { access, atPos } = await readableState(services, roomId, requester);
    let pos = atPos;
    if (query.at !== undefined) {
      const place = parsePlace(query.at);
      if (!place) throw new MatrixError('M_INVALID_PARAM', '`at` is not a token of this server');
      const { firstJoinedPos } = await visibilityOf(services, access.roomNid, requester.userId);
      // A token from before the user came stands for their coming.
      const wanted = Math.max(positionOf(place), firstJoinedPos);
      pos = atPos === null ? wanted : Math.min(wanted, atPos);
    }
    let events = await services.states.members(access.roomNid, pos);
    const { membership: wanted, not_membership: unwanted } = query;
    if (wanted !== undefined || unwanted !== undefined) {
      events = events.filter((event) => {
        const { membership } = contentOf(event);
        const isWanted = wanted !== undefined && membership === wanted;
        return isWanted || (unwanted !== undefined && membership !== unwanted);
      });
    }
    return new JsonText(`{"chunk":[${eventsJson(events, roomId, services.clock.now())}]}`);
  },
});

const getJoinedMembersByRoom = declare({
  operation: 'getJoinedMembersByRoom',
  method: 'GET',
  paths: clientPaths('/rooms/:roomId/joined_members'),
  auth: 'user',
  runsOn,
  summary: 'The joined members of a room with their profiles there',
  source: 'CS 1.19, getJoinedMembersByRoom',
  errors: ['M_FORBIDDEN'],
  async handle({ params, requester }, services) {
    const roomId = params['roomId']!;
    const access = await services.access.of(roomId, requester.userNid);
    if (access?.membership !== 'join' && !requester.appservice) {
      throw new MatrixError('M_FORBIDDEN', `User ${requester.userId} not in room ${roomId}`);
    }
    if (!access) throw new MatrixError('M_NOT_FOUND', 'This server does not know the room');
    const members = await services.states.joinedMembers(access.roomNid);
    const joined = members.map(({ userId, content }) => {
      const { displayname, avatar_url: avatar } = content;
      const name = typeof displayname === 'string' ? JSON.stringify(displayname) : 'null';
      const url = typeof avatar === 'string' ? JSON.stringify(avatar) : 'null';
      return `${JSON.stringify(userId)}:{"display_name":${name},"avatar_url":${url}}`;
    });
    return new JsonText(`{"joined":{${joined.join(',')}}}`);
  },
});

export const stateEndpoints = [
  getRoomState,
  getRoomStateWithKey,
  getMembersByRoom,
  getJoinedMembersByRoom,
];
