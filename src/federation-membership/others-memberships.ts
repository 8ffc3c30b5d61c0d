import { MatrixError } from '../kernel/errors.ts';
import { countersign, type BuiltEvent } from '../matrix/event-builder.ts';
import { checkPduFormat, eventIdOf } from '../matrix/event-format.ts';
import { serverNameOf } from '../matrix/ids.ts';
import type { JsonObject, Pdu } from '../matrix/pdu.ts';
import { checkReceived, type FindServerKey } from '../matrix/received-pdu.ts';
import { roomVersion } from '../matrix/room-versions.ts';
import type { SigningKey } from '../matrix/signing.ts';
import {
  authoriserForOther,
  type EventTemplate,
  type KnownRoom,
  type RoomServices,
} from '../rooms/module.ts';
import { residentRoom } from './resident-room.ts';

export interface OthersMembershipsNeeds {
  serverName: string;
  signingKey: SigningKey;
  findKey: FindServerKey;
  rooms: () => RoomServices;
  /** Tells the other servers in the room of an event that this one vouches for. */
  passOn(event: { roomNid: number; eventNid: number; origin: string }): Promise<void>;
}

export type MembershipKind = 'join' | 'leave' | 'knock';

const invalid = (message: string) => new MatrixError('M_INVALID_PARAM', message);

/** Memberships of other servers' users in rooms that this server is in. */
export function createOthersMemberships(needs: OthersMembershipsNeeds) {
  const { serverName, signingKey, findKey } = needs;

  function checkVersion(room: KnownRoom, versions: readonly string[] | null): void {
    if (versions === null || versions.includes(room.roomVersion)) return;
    const message = `Your server does not know version ${room.roomVersion} of rooms`;
    throw new MatrixError('M_INCOMPATIBLE_ROOM_VERSION', message, {
      extra: { room_version: room.roomVersion },
    });
  }

  /** The event that a server hands in, if it is of the kind. Throws M_INVALID_PARAM. */
  function eventOf(
    room: KnownRoom,
    kind: MembershipKind,
    given: JsonObject,
    from: { origin: string; eventId: string },
  ): Pdu {
    const version = roomVersion(room.roomVersion);
    const fault = checkPduFormat(version, given);
    if (fault !== null) throw invalid(`The event is not well-formed: ${fault}`);
    const pdu = given as unknown as Pdu;
    const { type, sender, state_key: userId, content } = pdu;
    if (type !== 'm.room.member' || content['membership'] !== kind) {
      throw invalid(`The event is no ${kind}`);
    }
    if (userId !== sender) throw invalid('The state_key is not the sender');
    if (serverNameOf(sender) !== from.origin) throw invalid('The sender is of another server');
    if (eventIdOf(version, pdu) !== from.eventId) {
      throw invalid('The id of the event is not that of the path');
    }
    return pdu;
  }

  /** Adds this server's signature to a join that one of its users vouches for. */
  async function vouched(room: KnownRoom, pdu: Pdu): Promise<Pdu> {
    const authoriser = pdu.content['join_authorised_via_users_server'];
    if (typeof authoriser !== 'string' || serverNameOf(authoriser) !== serverName) return pdu;
    await authoriserForOther(needs.rooms(), room, pdu.sender);
    const version = roomVersion(room.roomVersion);
    return countersign(version, { eventId: '', pdu }, serverName, signingKey).pdu;
  }

  return {
    /** An event for the other server to sign. `versions`: those that it knows; null: all. */
    async make(
      kind: MembershipKind,
      roomId: string,
      userId: string,
      origin: string,
      versions: readonly string[] | null,
    ): Promise<EventTemplate> {
      if (serverNameOf(userId) !== origin) {
        throw new MatrixError('M_FORBIDDEN', 'The user is of another server');
      }
      const rooms = needs.rooms();
      const room = await residentRoom(rooms, roomId, origin);
      checkVersion(room, versions);
      if (kind !== 'leave') await rooms.blocks.check(roomId);
      const authoriser = kind === 'join' ? await authoriserForOther(rooms, room, userId) : null;
      const content: JsonObject = { membership: kind };
      if (authoriser !== null) content['join_authorised_via_users_server'] = authoriser;
      const proto = { sender: userId, type: 'm.room.member', stateKey: userId, content };
      return rooms.writer.template(roomId, proto);
    },

    /** Takes the signed event in. Throws M_INVALID_PARAM, M_FORBIDDEN. */
    async send(
      kind: MembershipKind,
      roomId: string,
      given: JsonObject,
      from: { origin: string; eventId: string },
    ): Promise<{ room: KnownRoom; event: BuiltEvent }> {
      const rooms = needs.rooms();
      const room = await residentRoom(rooms, roomId, from.origin);
      if (kind !== 'leave') await rooms.blocks.check(roomId);
      const pdu = eventOf(room, kind, given, from);
      const whole = kind === 'join' ? await vouched(room, pdu) : pdu;
      const event = await checkReceived(roomVersion(room.roomVersion), roomId, whole, findKey);
      if (typeof event === 'string') throw invalid(`The event is refused: ${event}`);
      const [received] = await rooms.writer.receive({ roomId, events: [event] });
      const { outcome, reason, pos } = received!;
      if (outcome === 'missing') {
        throw new MatrixError('M_NOT_FOUND', 'The event follows others that are not known here');
      }
      if (outcome !== 'accepted' && outcome !== 'known') {
        throw new MatrixError('M_FORBIDDEN', reason ?? 'The event is not allowed');
      }
      const { origin } = from;
      // The number of an event that continues a room is its position.
      if (pos !== null) await needs.passOn({ roomNid: room.roomNid, eventNid: pos, origin });
      return { room, event };
    },
  };
}

export type OthersMemberships = ReturnType<typeof createOthersMemberships>;
