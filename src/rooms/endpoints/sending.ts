import { Type, type Static } from 'typebox';
import { clientPaths, endpoint, type Requester } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import type { JsonObject } from '../../matrix/pdu.ts';
import { roomVersion } from '../../matrix/room-versions.ts';
import { checkCanonicalAlias } from '../canonical-alias.ts';
import { checkActorMayInvite } from '../invite-checks.ts';
import { takeLimit } from '../limits.ts';
import * as membership from '../membership.ts';
import { checkNewRelation } from '../new-relation.ts';
import type { DelayWish } from '../needs.ts';
import { stickyMsMax } from '../sticky.ts';
import type { RoomServices } from '../services.ts';
import type { AppendRequest, ProtoEvent, TransactionKey } from '../writer/proto-event.ts';
import { contentBody, transactionOf } from './parts.ts';

const declare = endpoint<RoomServices>();
const runsOn = { group: 'event_sending', balance: 'room' } as const;
const sendQuery = Type.Object({
  ts: Type.Optional(Type.Integer({ minimum: 0 })),
  user_id: Type.Optional(Type.String()),
  /** For how long the event is sticky, in milliseconds (MSC4354). */
  'org.matrix.msc4354.sticky_duration_ms': Type.Optional(Type.Integer({ minimum: 0 })),
  /** Milliseconds by which the sending is delayed (MSC4140). */
  'org.matrix.msc4140.delay': Type.Optional(Type.Integer({ minimum: 0 })),
});
type SendQuery = Static<typeof sendQuery>;
const delayIn = (query: SendQuery) => query['org.matrix.msc4140.delay'] ?? null;

async function append(
  services: RoomServices,
  requester: Requester,
  request: AppendRequest,
  transaction: TransactionKey | null,
): Promise<string> {
  const [event] = request.events;
  if (!transaction) {
    await checkNewRelation(services, requester, request.roomId, event!);
    return (await services.writer.append(request))[0]!.eventId;
  }
  return services.transactions.once(requester.userNid, transaction, async () => {
    await checkNewRelation(services, requester, request.roomId, event!);
    const [appended] = await services.writer.append({ ...request, transaction });
    return appended!.eventId;
  });
}

/** Only application services choose the time of their events. */
const timeOf = (requester: Requester, ts: number | undefined) =>
  ts !== undefined && requester.appservice ? { originServerTs: ts } : {};

/** For how long the event is to be sticky, where events may be. */
function stickiness(
  { config }: RoomServices,
  { 'org.matrix.msc4354.sticky_duration_ms': stickyMs }: SendQuery,
): Pick<ProtoEvent, 'stickyMs'> {
  if (!config.hasStickyEvents || stickyMs === undefined) return {};
  return { stickyMs: Math.min(stickyMs, stickyMsMax) };
}

async function sendEvent(
  services: RoomServices,
  requester: Requester,
  wanted: { roomId: string; type: string; txnId: string | null; query: SendQuery },
  content: JsonObject,
) {
  const { roomId, type, txnId, query } = wanted;
  if (type === 'm.room.redaction') {
    const redacts = content['redacts'];
    if (typeof redacts !== 'string') {
      throw new MatrixError('M_BAD_JSON', 'A redaction needs the event id in `redacts`');
    }
    return redact(services, requester, { roomId, redacts, txnId }, content);
  }
  const event: ProtoEvent = {
    sender: requester.userId,
    type,
    content,
    ...timeOf(requester, query.ts),
    ...stickiness(services, query),
  };
  const transaction =
    txnId === null ? null : transactionOf(requester, `send ${roomId} ${type}`, txnId);
  return { event_id: await append(services, requester, { roomId, events: [event] }, transaction) };
}

async function delayed(services: RoomServices, wish: DelayWish) {
  return { delay_id: await services.delayEvent(wish) };
}

const sendMessage = declare({
  operation: 'sendMessage',
  refusesSuspended: true,
  method: 'PUT',
  paths: clientPaths('/rooms/:roomId/send/:eventType/:txnId'),
  auth: 'guest',
  rateLimit: 'message',
  runsOn,
  summary: 'Sends a message event to a room',
  source: 'CS 1.19, sendMessage',
  query: sendQuery,
  body: contentBody,
  bodyMode: 'optional',
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_NOT_JSON', 'M_TOO_LARGE', 'M_LIMIT_EXCEEDED'],
  handle({ params, query, body, requester, request }, services) {
    const { roomId, eventType, txnId } = params;
    const delayMs = delayIn(query);
    const content = request.headers['content-length'] === '0' ? null : body;
    if (delayMs !== null) {
      const transaction = transactionOf(requester, `delay ${roomId} ${eventType}`, txnId!);
      const event = { roomId: roomId!, type: eventType!, stateKey: null, content };
      const { stickyMs = null } = stickiness(services, query);
      return delayed(services, { requester, ...event, delayMs, stickyMs, transaction });
    }
    if (content === null) throw new MatrixError('M_NOT_JSON', 'Content not JSON.');
    const wanted = { roomId: roomId!, type: eventType!, txnId: txnId!, query };
    return sendEvent(services, requester, wanted, content);
  },
});

const sendMessageWithoutTxn = declare({
  operation: 'sendMessageWithoutTxn',
  refusesSuspended: true,
  method: 'POST',
  paths: clientPaths('/rooms/:roomId/send/:eventType'),
  auth: 'guest',
  rateLimit: 'message',
  runsOn,
  summary: 'Sends a message event; a repeated request sends it again',
  deprecated: true,
  query: sendQuery,
  body: contentBody,
  handle({ params, query, body, requester }, services) {
    const { roomId, eventType } = params;
    const wanted = { roomId: roomId!, type: eventType!, txnId: null, query };
    return sendEvent(services, requester, wanted, body);
  },
});

const statePaths = [
  ...clientPaths('/rooms/:roomId/state/:eventType/:stateKey'),
  ...clientPaths('/rooms/:roomId/state/:eventType'),
];

/** Whether state that is to be set lets its sender into the room, as `/join` does. */
async function isJoin(
  services: RoomServices,
  requester: Requester,
  roomId: string,
  { type, stateKey, content }: Pick<ProtoEvent, 'type' | 'stateKey' | 'content'>,
): Promise<boolean> {
  if (type !== 'm.room.member' || stateKey !== requester.userId) return false;
  if (content['membership'] !== 'join') return false;
  return (await services.access.of(roomId, requester.userNid))?.membership !== 'join';
}

/** What a client sets, without what the server adds to joins that somebody vouches for. */
function withoutAuthoriser(type: string, content: JsonObject): JsonObject {
  if (type !== 'm.room.member') return content;
  const { join_authorised_via_users_server: _authoriser, ...rest } = content;
  return rest;
}

const setRoomState = declare({
  operation: 'setRoomStateWithKey',
  refusesSuspended: true,
  method: 'PUT',
  paths: statePaths,
  auth: 'guest',
  rateLimit: 'message',
  runsOn,
  summary: "Sets an entry of a room's state",
  source: 'CS 1.19, setRoomStateWithKey',
  query: sendQuery,
  body: contentBody,
  errors: [
    'M_INVALID_PARAM',
    'M_FORBIDDEN',
    'M_NOT_FOUND',
    'M_TOO_LARGE',
    'M_BAD_ALIAS',
    'M_INVITE_BLOCKED',
  ],
  async handle({ params, query, body, requester }, services) {
    const { roomId, eventType: type, stateKey = '' } = params;
    if (type === 'm.room.create') {
      throw new MatrixError('M_INVALID_PARAM', 'A room has one m.room.create event, its first');
    }
    if (type === 'm.room.member' && typeof body['membership'] !== 'string') {
      throw new MatrixError('M_BAD_JSON', 'The content needs a `membership`');
    }
    if (type === 'm.room.member' && body['membership'] === 'invite') {
      await services.access.joined(roomId!, requester);
      await checkActorMayInvite(services, requester, [stateKey]);
    }
    const content = withoutAuthoriser(type!, body);
    const delayMs = delayIn(query);
    if (delayMs !== null) {
      const event = { roomId: roomId!, type: type!, stateKey, content };
      const { stickyMs = null } = stickiness(services, query);
      return delayed(services, { requester, ...event, delayMs, stickyMs, transaction: null });
    }
    if (await isJoin(services, requester, roomId!, { type: type!, stateKey, content })) {
      const at = timeOf(requester, query.ts);
      return { event_id: await membership.join(services, requester, roomId!, content, at) };
    }
    if (type === 'm.room.canonical_alias') await checkCanonicalAlias(services, roomId!, body);
    const event: ProtoEvent = {
      sender: requester.userId,
      type: type!,
      stateKey,
      content,
      ...timeOf(requester, query.ts),
      ...stickiness(services, query),
    };
    const request = { roomId: roomId!, events: [event], skipUnchangedState: true };
    return { event_id: await append(services, requester, request, null) };
  },
});

/**
 * Moderators who clear up may have a limit of their own; suspended users clear up what they have
 * written themselves. Throws M_LIMIT_EXCEEDED, M_USER_SUSPENDED, M_FORBIDDEN.
 */
async function limitRedaction(
  services: RoomServices,
  requester: Requester,
  { roomId, redacts }: { roomId: string; redacts: string },
): Promise<void> {
  let isOthers = false;
  if (services.config.limitsRedactionsOfOthers || requester.isSuspended) {
    const { roomNid } = await services.access.joined(roomId, requester);
    const target = await services.timeline.event(roomNid, redacts);
    isOthers = target !== null && target.senderNid !== requester.userNid;
  }
  if (isOthers && requester.isSuspended) {
    throw new MatrixError('M_USER_SUSPENDED', 'You may redact only your own events');
  }
  takeLimit(services, requester, isOthers ? 'admin_redaction' : 'message', requester.userId);
}

async function redact(
  services: RoomServices,
  requester: Requester,
  wanted: { roomId: string; redacts: string; txnId: string | null },
  content: JsonObject,
) {
  const { roomId, redacts, txnId } = wanted;
  const access = await services.access.joined(roomId, requester);
  const inContent = roomVersion(access.roomVersion).redactsInContent;
  const event: ProtoEvent = {
    sender: requester.userId,
    type: 'm.room.redaction',
    content: inContent ? { ...content, redacts } : content,
    ...(inContent ? {} : { redacts }),
  };
  const transaction =
    txnId === null ? null : transactionOf(requester, `redact ${roomId} ${redacts}`, txnId);
  return { event_id: await append(services, requester, { roomId, events: [event] }, transaction) };
}

const redactEvent = (['PUT', 'POST'] as const).map((method) =>
  declare({
    operation: method === 'PUT' ? 'redactEvent' : 'redactEventWithoutTxn',
    method,
    paths: clientPaths(
      method === 'PUT' ? '/rooms/:roomId/redact/:eventId/:txnId' : '/rooms/:roomId/redact/:eventId',
    ),
    auth: 'guest',
    runsOn,
    summary: 'Empties an event of its content',
    source: 'CS 1.19, redactEvent',
    deprecated: method === 'POST',
    body: contentBody,
    bodyMode: 'optional',
    errors: ['M_FORBIDDEN', 'M_NOT_FOUND'],
    async handle({ params, body, requester }, services) {
      const { roomId, eventId, txnId } = params;
      const content: JsonObject = {};
      if (typeof body['reason'] === 'string') content['reason'] = body['reason'];
      const wanted = { roomId: roomId!, redacts: eventId!, txnId: txnId ?? null };
      await limitRedaction(services, requester, wanted);
      return redact(services, requester, wanted, content);
    },
  }),
);

export const sendingEndpoints = [sendMessage, sendMessageWithoutTxn, setRoomState, ...redactEvent];
