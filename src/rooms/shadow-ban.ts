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

/** Gives an answer, or null: the request is to be served as it is. */
type Deceit = (services: RoomServices, context: Context) => Promise<unknown>;

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

const message: Deceit = async (services, context) => {
  if (isDelayed(context)) return null;
  return invented(services, context, {
    type: context.params['eventType']!,
    content: context.body,
  });
};

const state: Deceit = async (services, context) => {
  const { eventType: type, stateKey = '' } = context.params;
  const isInvite = context.body['membership'] === 'invite';
  if (isDelayed(context) || (type === 'm.room.member' && !isInvite)) return null;
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

const deceits: Readonly<Record<string, Deceit>> = {
  sendMessage: message,
  sendMessageWithoutTxn: message,
  setRoomStateWithKey: state,
  redactEvent: redaction,
  redactEventWithoutTxn: redaction,
  inviteUser: invite,
  inviteUserWithTxn: invite,
  upgradeRoom: upgrade,
};

/** Rooms of shadow-banned users begin without guests. */
const withoutInvites = (body: JsonObject): JsonObject => ({ ...body, invite: [], invite_3pid: [] });

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
    const isCreation = endpoint.operation === 'createRoom';
    if (!deceit && !isCreation) return endpoint;
    return {
      ...endpoint,
      async handle(context) {
        if (!context.requester?.isShadowBanned) return endpoint.handle(context);
        const asked = context as Context;
        if (isCreation) return endpoint.handle({ ...asked, body: withoutInvites(asked.body) });
        return (await deceit!(services, asked)) ?? endpoint.handle(context);
      },
    };
  });
}
