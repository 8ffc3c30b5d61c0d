import { createHash, randomBytes } from 'node:crypto';
import type { Endpoint, EndpointContext, Requester } from '../http/endpoint.ts';
import { MatrixError } from '../kernel/errors.ts';
import { randomLetters } from '../kernel/random.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import { roomVersion } from '../matrix/room-versions.ts';
import { checkActorMayInvite } from './invite-checks.ts';
import type { RoomServices } from './services.ts';
import type { ProtoEvent } from './writer/proto-event.ts';

type Context = EndpointContext<
  Record<string, string>,
  Record<string, unknown>,
  JsonObject,
  Requester
>;

/** The request is to be served, with another body where there is one. */
class PassOn {
  readonly body: JsonObject | null;
  constructor(body: JsonObject | null = null) {
    this.body = body;
  }
}

/** Gives what the client is told, or PassOn. */
type Deceit = (services: RoomServices, context: Context) => unknown;

/** An id as an event of the room would have it; the same for a repeated request. */
function inventedId(services: RoomServices, version: string, { params, requester }: Context) {
  if (roomVersion(version).eventIdFormat === 'explicit') {
    return `$${randomLetters(18)}:${services.config.serverName}`;
  }
  const { userId, deviceNid } = requester;
  const request = JSON.stringify([userId, deviceNid, params]);
  const bytes =
    params['txnId'] === undefined ? randomBytes(32) : createHash('sha256').update(request).digest();
  return `$${bytes.toString('base64url')}`;
}

/** Throws M_FORBIDDEN where the event would be refused. */
async function invented(
  services: RoomServices,
  context: Context,
  event: Omit<ProtoEvent, 'sender'>,
) {
  const { params, requester } = context;
  const roomId = params['roomId']!;
  const access = await services.access.joined(roomId, requester);
  if (!(await services.writer.allows(roomId, { sender: requester.userId, ...event }))) {
    throw new MatrixError('M_FORBIDDEN', 'You may not send this event');
  }
  return { event_id: inventedId(services, access.roomVersion, context) };
}

/** What is delayed is dropped when it is due. */
const isDelayed = ({ query }: Context) => query['org.matrix.msc4140.delay'] !== undefined;

const message: Deceit = (services, context) => {
  if (isDelayed(context)) return new PassOn();
  const { params, body } = context;
  return invented(services, context, { type: params['eventType']!, content: body });
};

/** Users come and go, and take others out, without a word of their own. */
async function member(services: RoomServices, context: Context): Promise<unknown> {
  const { params, body, requester } = context;
  const { membership } = body;
  const isOwn = params['stateKey'] === requester.userId;
  const access = await services.access.of(params['roomId']!, requester.userNid);
  if (membership === 'invite' || (membership === 'join' && access?.membership === 'join')) {
    const event = { type: 'm.room.member', stateKey: params['stateKey']!, content: body };
    return invented(services, context, event);
  }
  return new PassOn(isOwn && membership !== undefined ? { membership } : null);
}

const state: Deceit = (services, context) => {
  if (isDelayed(context)) return new PassOn();
  const { eventType: type, stateKey = '' } = context.params;
  if (type === 'm.room.member') return member(services, context);
  return invented(services, context, { type: type!, stateKey, content: context.body });
};

const redaction: Deceit = async (services, context) => {
  const { roomId, eventId } = context.params;
  const { roomNid } = await services.access.joined(roomId!, context.requester);
  if (!(await services.timeline.event(roomNid, eventId!))) {
    throw new MatrixError('M_NOT_FOUND', 'The event to redact is not in this room');
  }
  const type = 'm.room.redaction';
  return invented(services, context, { type, content: {}, redacts: eventId! });
};

const invite: Deceit = async (services, { params, body, requester }) => {
  await services.access.joined(params['roomId']!, requester);
  const target = body['user_id'];
  if (typeof target === 'string') await checkActorMayInvite(services, requester, [target]);
  return {};
};

const upgrade: Deceit = async (services, context) => {
  const tombstone = { type: 'm.room.tombstone', stateKey: '', content: { replacement_room: '' } };
  await invented(services, context, tombstone);
  return { replacement_room: `!${randomLetters(18)}:${services.config.serverName}` };
};

const join: Deceit = (_services, { body: { third_party_signed: signed } }) =>
  new PassOn(signed === undefined ? {} : { third_party_signed: signed });

const wordless: Deceit = () => new PassOn({});

/** Rooms of shadow-banned users begin without guests. */
const creation: Deceit = (_services, { body }) =>
  new PassOn({ ...body, invite: [], invite_3pid: [] });

const deceits: Readonly<Record<string, Deceit>> = {
  createRoom: creation,
  sendMessage: message,
  sendMessageWithoutTxn: message,
  setRoomStateWithKey: state,
  redactEvent: redaction,
  redactEventWithoutTxn: redaction,
  inviteUser: invite,
  inviteUserWithTxn: invite,
  upgradeRoom: upgrade,
  joinRoom: join,
  joinRoomWithTxn: join,
  joinRoomById: join,
  joinRoomByIdWithTxn: join,
  knockRoom: wordless,
  leaveRoom: wordless,
  leaveRoomWithTxn: wordless,
};

/**
 * Shadow-banned users are answered as if all was well, and what they send goes nowhere. They join and
 * leave as others do. Source: Synapse, "Controlling whether a user is shadow-banned".
 */
export function deceiveShadowBanned(
  endpoints: readonly Endpoint[],
  services: RoomServices,
): Endpoint[] {
  return endpoints.map((endpoint) => {
    const deceit = deceits[endpoint.operation];
    if (!deceit) return endpoint;
    return {
      ...endpoint,
      async handle(context) {
        if (!context.requester?.isShadowBanned) return endpoint.handle(context);
        const answer = await deceit(services, context as Context);
        if (!(answer instanceof PassOn)) return answer;
        return endpoint.handle({ ...context, body: answer.body ?? context.body });
      },
    };
  });
}
