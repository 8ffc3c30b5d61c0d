import type { FederationClient } from '../federation-client/federation-client.ts';
import type { Clock } from '../kernel/clock.ts';
import { buildPdu, joinPdu, type BuiltEvent, type UnsignedPdu } from '../matrix/event-builder.ts';
import { checkPduFormat } from '../matrix/event-format.ts';
import { isJsonObject, type JsonObject, type Pdu } from '../matrix/pdu.ts';
import { isKnownRoomVersion, roomVersion, type RoomVersion } from '../matrix/room-versions.ts';
import type { SigningKey } from '../matrix/signing.ts';
import { BadAnswer } from './try-servers.ts';

export interface HandshakeNeeds {
  serverName: string;
  signingKey: SigningKey;
  federation: Pick<FederationClient, 'request'>;
  clock: Clock;
}

/** A change of a local user's membership that a server in the room has to help with. */
export interface Wish {
  kind: 'join' | 'leave' | 'knock';
  roomId: string;
  userId: string;
  /** The content of the member event, but for what the other server adds. */
  content: JsonObject;
}

/** A signed member event for a room that this server is not in. */
export interface Prepared {
  version: RoomVersion;
  event: BuiltEvent;
}

/** Room state of a large room: tens of thousands of events. */
const answerBytesMax = 256 * 1024 * 1024;
/** A server takes its time to put a large room together. */
const sendMsMax = 10 * 60_000;

const encoded = encodeURIComponent;

/** The steps that a join, a leave and a knock by way of another server have in common. */
export function createHandshake(needs: HandshakeNeeds) {
  const { serverName: ownName, signingKey, federation, clock } = needs;

  /** Makes an event out of a template. Source: server-server spec, "Joining Rooms". */
  function complete(serverName: string, wish: Wish, version: RoomVersion, template: JsonObject) {
    const { roomId, userId, kind, content } = wish;
    const { membership, join_authorised_via_users_server: authoriser } = isJsonObject(
      template['content'],
    )
      ? template['content']
      : ({} as JsonObject);
    const isAsWished =
      template['type'] === 'm.room.member' &&
      template['sender'] === userId &&
      template['state_key'] === userId &&
      template['room_id'] === roomId &&
      membership === kind;
    if (!isAsWished) throw new BadAnswer(serverName, `its template is of no such ${kind}`);
    const event: UnsignedPdu = {
      type: 'm.room.member',
      room_id: roomId,
      sender: userId,
      state_key: userId,
      content: {
        ...content,
        membership: kind,
        ...(kind === 'join' && typeof authoriser === 'string'
          ? { join_authorised_via_users_server: authoriser }
          : {}),
      },
      origin_server_ts: clock.now(),
      depth: template['depth'] as number,
      prev_events: template['prev_events'] as Pdu['prev_events'],
      auth_events: template['auth_events'] as Pdu['auth_events'],
    };
    const unhashed = { ...event, event_id: '$x:x', hashes: {}, signatures: {} };
    const fault = checkPduFormat(version, unhashed);
    if (fault !== null)
      throw new BadAnswer(serverName, `its template is not well-formed: ${fault}`);
    return buildPdu(version, event, ownName, signingKey);
  }

  return {
    /** Asks a server for a template and signs what becomes of it. */
    async prepare(serverName: string, wish: Wish, versions: readonly string[]): Promise<Prepared> {
      const { kind, roomId, userId } = wish;
      const query = versions.map((id) => `ver=${encoded(id)}`).join('&');
      const path = `/_matrix/federation/v1/make_${kind}/${encoded(roomId)}/${encoded(userId)}`;
      const uri = kind === 'leave' ? path : `${path}?${query}`;
      const { room_version: id = '1', event } = await federation.request(serverName, {
        method: 'GET',
        uri,
      });
      if (typeof id !== 'string' || !isKnownRoomVersion(id)) {
        throw new BadAnswer(serverName, 'the room has a version that is not known here');
      }
      if (!isJsonObject(event)) throw new BadAnswer(serverName, 'it gives no template');
      const version = roomVersion(id);
      return { version, event: complete(serverName, wish, version, event) };
    },
    /** Hands the event in. */
    send(serverName: string, wish: Pick<Wish, 'kind' | 'roomId'>, event: BuiltEvent) {
      const { kind, roomId } = wish;
      const path = `${kind === 'knock' ? 'v1' : 'v2'}/send_${kind}`;
      const pdu = JSON.parse(joinPdu(event.envelope, event.contentAt, event.content)) as JsonObject;
      return federation.request(serverName, {
        method: 'PUT',
        uri: `/_matrix/federation/${path}/${encoded(roomId)}/${encoded(event.eventId)}`,
        content: pdu,
        ...(kind === 'join' ? { timeoutMs: sendMsMax, bytesMax: answerBytesMax } : {}),
      });
    },
  };
}

export type Handshake = ReturnType<typeof createHandshake>;
