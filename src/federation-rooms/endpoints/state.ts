import { Type } from 'typebox';
import { endpoint, StreamedBody } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { eventIdOf, checkPduFormat } from '../../matrix/event-format.ts';
import type { Pdu } from '../../matrix/pdu.ts';
import { roomVersion } from '../../matrix/room-versions.ts';
import { idListParts, listsText, pduListParts, type ListParts } from '../pdu-lists.ts';
import { placeBefore } from '../server-view.ts';
import { stateBefore, type StateAndChain } from '../state-before.ts';
import type { ChainRow } from '../store/auth-chains.ts';
import type { PlacedEvent, RoomRow } from '../store/events.ts';
import { common, type FederationRoomsServices } from './needs.ts';

const declare = endpoint<FederationRoomsServices>();
const rejected = 2;

/** A large answer, made when it is the server's turn. */
function inTurn(
  { turns }: FederationRoomsServices,
  origin: string,
  text: () => AsyncIterable<string>,
): StreamedBody {
  async function* pieces() {
    const end = await turns.take(origin);
    try {
      yield* text();
    } finally {
      end();
    }
  }
  return new StreamedBody(pieces());
}

/** An event of the room that was not rejected. Throws M_FORBIDDEN, M_NOT_FOUND. */
async function acceptedEvent(
  { access }: FederationRoomsServices,
  { roomId, eventId }: { roomId: string; eventId: string },
  origin: string,
): Promise<{ room: RoomRow; event: PlacedEvent }> {
  const room = await access.room(roomId, origin);
  const event = await access.event(room, eventId);
  if (event.status === rejected) {
    throw new MatrixError('M_NOT_FOUND', `Could not find event ${eventId}`);
  }
  return { room, event };
}

function knownPlace(event: PlacedEvent): number {
  const atPos = placeBefore(event);
  if (atPos !== null) return atPos;
  throw new MatrixError('M_NOT_FOUND', `State not known at event ${event.eventId}`);
}

const stateQuery = Type.Object({ event_id: Type.String() });
const stateErrors = ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_MISSING_PARAM', 'M_LIMIT_EXCEEDED'] as const;
const nidsOf = (rows: readonly ChainRow[]) => rows.map(({ eventNid }) => eventNid);
const idsOf = (rows: readonly ChainRow[]) => rows.map(({ eventId }) => eventId);

interface StateRequest {
  params: Readonly<Record<string, string>>;
  query: { event_id: string };
  origin: string;
}

/** The state before an event and its auth chain, in the lists that are made of them. */
async function stateAnswer(
  services: FederationRoomsServices,
  { params, query, origin }: StateRequest,
  lists: (room: RoomRow, rows: StateAndChain) => Record<string, ListParts>,
): Promise<StreamedBody> {
  const wanted = { roomId: params['roomId']!, eventId: query.event_id };
  const { room, event } = await acceptedEvent(services, wanted, origin);
  const atPos = knownPlace(event);
  return inTurn(services, origin, async function* () {
    yield* listsText(lists(room, await stateBefore(services, room, event, atPos)));
  });
}

const getState = declare({
  ...common,
  operation: 'getRoomStateForServers',
  method: 'GET',
  paths: ['/_matrix/federation/v1/state/:roomId'],
  summary: 'The state before an event with its auth chain, for a server in the room',
  source: 'SS 1.19, getRoomState',
  query: stateQuery,
  errors: stateErrors,
  handle: (request, services) =>
    stateAnswer(services, request, ({ roomNid }, { state, chain }) => ({
      auth_chain: pduListParts(services.events, roomNid, nidsOf(chain)),
      pdus: pduListParts(services.events, roomNid, nidsOf(state)),
    })),
});

const getStateIds = declare({
  ...common,
  operation: 'getRoomStateIds',
  method: 'GET',
  paths: ['/_matrix/federation/v1/state_ids/:roomId'],
  summary: 'The ids of the state before an event and of its auth chain, for a server in the room',
  source: 'SS 1.19, getRoomStateIds',
  query: stateQuery,
  errors: stateErrors,
  handle: (request, services) =>
    stateAnswer(services, request, (_room, { state, chain }) => ({
      auth_chain_ids: idListParts(idsOf(chain)),
      pdu_ids: idListParts(idsOf(state)),
    })),
});

async function authChainOf(
  { authChains }: FederationRoomsServices,
  room: RoomRow,
  { eventNid }: PlacedEvent,
): Promise<ChainRow[]> {
  return (await authChains.of(room, [eventNid])).filter(({ isInChain }) => isInChain);
}

const getEventAuth = declare({
  ...common,
  operation: 'getEventAuth',
  method: 'GET',
  paths: ['/_matrix/federation/v1/event_auth/:roomId/:eventId'],
  summary: 'The auth chain of an event, for a server in the room',
  source: 'SS 1.19, getEventAuth',
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_LIMIT_EXCEEDED'],
  async handle({ params, origin }, services) {
    const wanted = { roomId: params['roomId']!, eventId: params['eventId']! };
    const { room, event } = await acceptedEvent(services, wanted, origin);
    return inTurn(services, origin, async function* () {
      const chain = await authChainOf(services, room, event);
      const pdus = pduListParts(services.events, room.roomNid, nidsOf(chain));
      yield* listsText({ auth_chain: pdus });
    });
  },
});

/** The ids of well-formed PDUs. */
function pduIds(room: RoomRow, pdus: readonly unknown[]): Set<string> {
  const version = roomVersion(room.roomVersion);
  const whole = pdus.filter((pdu) => checkPduFormat(version, pdu) === null) as Pdu[];
  return new Set(whole.map((pdu) => eventIdOf(version, pdu)));
}

// What the other server says is not taken in: events come by /send, with all checks.
const queryAuth = declare({
  ...common,
  operation: 'queryAuth',
  method: 'POST',
  paths: ['/_matrix/federation/v1/query_auth/:roomId/:eventId'],
  summary: 'The auth chain of an event, and what another server’s idea of it lacks',
  source: 'server-server API before 1.1',
  deprecated: true,
  body: Type.Object({ auth_chain: Type.Optional(Type.Array(Type.Unknown())) }),
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_BAD_JSON', 'M_LIMIT_EXCEEDED'],
  async handle({ params, body, origin }, services) {
    const wanted = { roomId: params['roomId']!, eventId: params['eventId']! };
    const { room, event } = await acceptedEvent(services, wanted, origin);
    return inTurn(services, origin, async function* () {
      const chain = await authChainOf(services, room, event);
      const theirs = pduIds(room, body.auth_chain ?? []);
      const missing = idsOf(chain).filter((id) => !theirs.has(id));
      const pdus = pduListParts(services.events, room.roomNid, nidsOf(chain));
      yield* listsText({ auth_chain: pdus, missing: idListParts(missing) });
    });
  },
});

export const stateEndpoints = [getState, getStateIds, getEventAuth, queryAuth];
