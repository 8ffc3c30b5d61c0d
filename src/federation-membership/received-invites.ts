import { listOf } from '../federation-client/answers.ts';
import { MatrixError } from '../kernel/errors.ts';
import { countersign } from '../matrix/event-builder.ts';
import { checkPduFormat, eventIdOf, roomIdOf } from '../matrix/event-format.ts';
import { serverNameOf } from '../matrix/ids.ts';
import type { InvitePermissions } from '../matrix/invite-permissions.ts';
import type { JsonObject, JsonValue, Pdu } from '../matrix/pdu.ts';
import { checkReceived, type FindServerKey } from '../matrix/received-pdu.ts';
import { isKnownRoomVersion, roomVersion, type RoomVersion } from '../matrix/room-versions.ts';
import type { SigningKey } from '../matrix/signing.ts';
import type { RoomServices } from '../rooms/module.ts';
import { pduOf } from './invites.ts';
import { strippedIn } from './stripped-state.ts';

export interface ReceivedInvitesNeeds {
  serverName: string;
  signingKey: SigningKey;
  findKey: FindServerKey;
  rooms: () => RoomServices;
  users: {
    /** Whether the account is there and in use. */
    isActive(userId: string): Promise<boolean>;
    permissionsOf(userId: string): Promise<InvitePermissions>;
    /** Counts an invite of the user. Throws M_LIMIT_EXCEEDED. */
    takeInvite(userId: string): void;
  };
}

export interface GivenInvite {
  roomId: string;
  eventId: string;
  roomVersion: string;
  event: JsonObject;
  shownState: JsonValue | undefined;
}

const invalid = (message: string) => new MatrixError('M_INVALID_PARAM', message);

/** Invites that other servers bring for users of this one. */
export function createReceivedInvites(needs: ReceivedInvitesNeeds) {
  const { serverName, signingKey, findKey, users } = needs;

  function checkShape(version: RoomVersion, given: GivenInvite, origin: string): Pdu {
    const fault = checkPduFormat(version, given.event);
    if (fault !== null) throw invalid(`The event is not well-formed: ${fault}`);
    const pdu = given.event as unknown as Pdu;
    const { type, sender, state_key: userId = '', content } = pdu;
    if (type !== 'm.room.member' || content['membership'] !== 'invite') {
      throw invalid('The event is no invite');
    }
    if (roomIdOf(version, pdu) !== given.roomId) throw invalid('The event is of another room');
    if (eventIdOf(version, pdu) !== given.eventId) {
      throw invalid('The id of the event is not that of the path');
    }
    if (serverNameOf(sender) !== origin) throw invalid('The sender is of another server');
    if (serverNameOf(userId) !== serverName) throw invalid('The invited user is of another server');
    return pdu;
  }

  async function checkUser({ sender, state_key: userId = '' }: Pdu): Promise<void> {
    if (!(await users.isActive(userId))) {
      throw new MatrixError('M_FORBIDDEN', `${userId} has no account here`);
    }
    const permissions = await users.permissionsOf(userId);
    if (permissions.actionFor(sender) === 'block') {
      throw new MatrixError('M_INVITE_BLOCKED', `${userId} does not want invites from you`);
    }
  }

  /** The create event of a room whose id is its hash has to be among what is shown (room version 12). */
  function checkCreate(version: RoomVersion, { roomId, shownState }: GivenInvite): void {
    if (!version.roomIdIsCreateHash || shownState === undefined) return;
    const isCreate = (entry: JsonValue) =>
      checkPduFormat(version, entry) === null &&
      roomIdOf(version, entry as unknown as Pdu) === roomId &&
      (entry as JsonObject)['type'] === 'm.room.create';
    if (listOf(shownState).some(isCreate)) return;
    throw new MatrixError('M_MISSING_PARAM', 'invite_room_state has no m.room.create of the room');
  }

  return {
    /**
     * Signs an invite and keeps it. Throws M_INVALID_PARAM, M_FORBIDDEN, M_INCOMPATIBLE_ROOM_VERSION,
     * M_LIMIT_EXCEEDED.
     */
    async receive(given: GivenInvite, origin: string): Promise<JsonObject> {
      const { roomId, roomVersion: id } = given;
      if (!isKnownRoomVersion(id)) {
        throw new MatrixError('M_INCOMPATIBLE_ROOM_VERSION', `Version ${id} is not known here`, {
          extra: { room_version: id },
        });
      }
      const version = roomVersion(id);
      const pdu = checkShape(version, given, origin);
      checkCreate(version, given);
      const { foreign, members, serverAcls, blocks } = needs.rooms();
      await blocks.check(roomId);
      const room = await members.room(roomId);
      if (room) await serverAcls.check(room.roomNid, origin);
      await checkUser(pdu);
      const checked = await checkReceived(version, roomId, pdu, findKey);
      if (typeof checked === 'string') throw invalid(`The event is refused: ${checked}`);
      users.takeInvite(pdu.state_key!);
      const event = countersign(version, checked, serverName, signingKey);
      // The server that invites sends the event on to all who are in the room.
      const isResident = room !== null && (await foreign.isResident(room.roomNid));
      if (!isResident) {
        const strippedState = strippedIn(given.shownState);
        await foreign.takeStray({ roomId, roomVersion: id, event, strippedState });
      }
      return pduOf(event);
    },
  };
}

export type ReceivedInvites = ReturnType<typeof createReceivedInvites>;
