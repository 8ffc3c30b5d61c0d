import type { FederationClient } from '../federation-client/federation-client.ts';
import { FederationError } from '../federation-client/errors.ts';
import { MatrixError } from '../kernel/errors.ts';
import { buildPdu, joinPdu, type BuiltEvent } from '../matrix/event-builder.ts';
import { serverNameOf } from '../matrix/ids.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import { checkReceived, type FindServerKey } from '../matrix/received-pdu.ts';
import { roomVersion, type RoomVersion } from '../matrix/room-versions.ts';
import type { SigningKey } from '../matrix/signing.ts';
import type { RoomServices } from '../rooms/module.ts';
import type { ShownState } from './shown-state.ts';
import { refusalOf } from './try-servers.ts';

export interface InvitesNeeds {
  serverName: string;
  signingKey: SigningKey;
  federation: Pick<FederationClient, 'request'>;
  rooms: () => RoomServices;
  findKey: FindServerKey;
  shownState: ShownState;
}

const encoded = encodeURIComponent;

export const pduOf = (event: BuiltEvent): JsonObject =>
  JSON.parse(joinPdu(event.envelope, event.contentAt, event.content)) as JsonObject;

/** Invites of users of other servers, whose servers have to sign them too. */
export function createInvites(needs: InvitesNeeds) {
  const { serverName: ownName, signingKey, federation, findKey } = needs;

  /** The state that goes with an invite. */
  async function shownStateFor(roomId: string, sender: { userId: string; userNid: number }) {
    const { roomNid } = (await needs.rooms().access.of(roomId, sender.userNid))!;
    return needs.shownState(roomNid, sender.userId);
  }

  async function askForSignature(
    version: RoomVersion,
    event: BuiltEvent,
    shown: JsonObject[],
  ): Promise<JsonObject> {
    const { room_id: roomId = '', state_key: userId = '' } = event.pdu;
    const destination = serverNameOf(userId);
    try {
      const answer = await federation.request(destination, {
        method: 'PUT',
        uri: `/_matrix/federation/v2/invite/${encoded(roomId)}/${encoded(event.eventId)}`,
        content: { room_version: version.id, event: pduOf(event), invite_room_state: shown },
      });
      return answer['event'] as JsonObject;
    } catch (error) {
      if (!(error instanceof FederationError)) throw error;
      const message = `Can't invite ${userId}: the user's server does not answer`;
      throw (
        refusalOf(error) ?? new MatrixError('M_UNKNOWN', message, { status: 502, cause: error })
      );
    }
  }

  return {
    /** Sends an invite. Throws what the user's server says, or M_UNKNOWN with 502. */
    async invite(
      actor: { userId: string; userNid: number },
      roomId: string,
      userId: string,
      content: JsonObject,
    ): Promise<void> {
      const { writer } = needs.rooms();
      const proto = { sender: actor.userId, type: 'm.room.member', stateKey: userId, content };
      const [template, shown] = await Promise.all([
        writer.template(roomId, proto),
        shownStateFor(roomId, actor),
      ]);
      const version = roomVersion(template.roomVersion);
      const event = buildPdu(version, template.event, ownName, signingKey);
      const signed = await askForSignature(version, event, shown);
      const checked = await checkReceived(version, roomId, signed, findKey);
      const isSame = typeof checked === 'object' && checked.eventId === event.eventId;
      if (!isSame) {
        const message = `The server of ${userId} has not signed the invite`;
        throw new MatrixError('M_UNKNOWN', message, { status: 502 });
      }
      const [received] = await writer.receive({ roomId, events: [checked] });
      if (received!.outcome === 'accepted') return;
      throw new MatrixError('M_FORBIDDEN', received!.reason ?? 'The invite is no longer allowed');
    },
  };
}
