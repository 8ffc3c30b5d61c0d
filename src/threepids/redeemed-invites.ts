import { FederationError } from '../federation-client/errors.ts';
import type { FederationClient } from '../federation-client/federation-client.ts';
import type { SendJson } from '../http/json-client.ts';
import { MatrixError } from '../kernel/errors.ts';
import { keysThatSigned } from '../matrix/auth-rules/third-party-invite.ts';
import { serverNameOf } from '../matrix/ids.ts';
import { isJsonObject, type JsonObject } from '../matrix/pdu.ts';
import { residentRoom } from '../federation-membership/module.ts';
import { contentOf, type RoomServices } from '../rooms/module.ts';

export interface RedeemedInvitesNeeds {
  /** This server's. */
  serverName: string;
  rooms: RoomServices;
  /** To servers that rooms name: never to addresses inside. */
  sendOutside: SendJson;
  federation: Pick<FederationClient, 'request'>;
  /** Tells the other servers in the room of an event whose sender is of another server. */
  passOn(event: { roomNid: number; eventNid: number; origin: string }): Promise<void>;
}

/** An identity server says that an invited address has become a user's. */
export interface RedeemedInvite {
  roomId: string;
  /** Who had invited. */
  sender: string;
  userId: string;
  /** What the identity server has signed. */
  signed: JsonObject & { mxid: string; token: string };
}

/** Turns invites by address into invites of users. Source: server-server spec, "Third-party invites". */
export interface RedeemedInvites {
  /**
   * Invites a user of this server, or has the inviting server do so when this one is not in the room.
   * Throws M_FORBIDDEN, M_NOT_FOUND, M_UNKNOWN (502).
   */
  redeem(invite: RedeemedInvite): Promise<void>;
  /**
   * The same at the wish of the invited user's server, where a user of this one had invited. Throws
   * what the user's server says as well.
   */
  exchange(invite: RedeemedInvite, origin: string): Promise<void>;
}

/** Keys of one invite that their servers are asked about. */
const keysAskedMax = 5;

const forbidden = (message: string) => new MatrixError('M_FORBIDDEN', message);

/** Where each key says that it can be looked up; null: nowhere. */
function validityUrls(content: JsonObject): Map<string, string | null> {
  const { public_keys: listed } = content;
  const entries = [content, ...(Array.isArray(listed) ? listed.filter(isJsonObject) : [])];
  return new Map(
    entries.flatMap(({ public_key: key, key_validity_url: url }) =>
      typeof key === 'string' ? [[key, typeof url === 'string' ? url : null] as const] : [],
    ),
  );
}

export function createRedeemedInvites(needs: RedeemedInvitesNeeds): RedeemedInvites {
  const { serverName, rooms, sendOutside, federation } = needs;
  const isOwn = (userId: string) => serverNameOf(userId) === serverName;

  /** Whether the server of a key still stands by it. Throws M_UNKNOWN (502). */
  async function isValid(key: string, validityUrl: string): Promise<boolean> {
    if (!URL.canParse(validityUrl)) return false;
    const url = new URL(validityUrl);
    if (url.protocol !== 'https:') return false;
    url.searchParams.set('public_key', key);
    const answer = await sendOutside({ method: 'GET', url: url.href }).catch((cause: unknown) => {
      const message = 'The key of the invite could not be checked';
      throw new MatrixError('M_UNKNOWN', message, { status: 502, cause });
    });
    return answer.status === 200 && answer.body?.['valid'] === true;
  }

  /** Throws M_FORBIDDEN unless a key of the invite has signed, and has not been revoked. */
  async function checkSigned(content: JsonObject, signed: JsonObject): Promise<void> {
    const urls = validityUrls(content);
    const keys = [...new Set(keysThatSigned(signed, content))].slice(0, keysAskedMax);
    for (const key of keys) {
      const url = urls.get(key) ?? null;
      // oxlint-disable-next-line no-await-in-loop -- one is enough
      if (url === null || (await isValid(key, url))) return;
    }
    throw forbidden('The invite is not signed by its keys, or they have been revoked');
  }

  async function membershipOf(roomId: string, userId: string): Promise<string | null> {
    const userNid = await rooms.interned.find(userId);
    const access = userNid === null ? null : await rooms.members.access(roomId, userNid);
    return access?.membership ?? null;
  }

  /** Invites in a room that this server is in. */
  async function issue(
    { roomId, roomNid }: { roomId: string; roomNid: number },
    { sender, userId, signed }: RedeemedInvite,
  ): Promise<void> {
    const key = ['m.room.third_party_invite', signed.token] as const;
    const [[original], membership] = await Promise.all([
      rooms.states.entries(roomNid, [key], null),
      membershipOf(roomId, userId),
    ]);
    if (original?.sender !== sender) throw forbidden('There is no such invite');
    if (membership === 'join') throw forbidden(`${userId} is already in the room.`);
    const invite = contentOf(original);
    await checkSigned(invite, signed);
    const { display_name: name } = invite;
    const content: JsonObject = {
      ...(await rooms.profiles.of(userId)),
      membership: 'invite',
      third_party_invite: { display_name: typeof name === 'string' ? name : '', signed },
    };
    if (!isOwn(userId)) {
      const actor = { userId: sender, userNid: original.senderNid };
      await rooms.elsewhere.invite(actor, roomId, userId, content);
      return;
    }
    const event = { sender, type: 'm.room.member', stateKey: userId, content };
    const request = { roomId, events: [event], skipUnchangedState: true };
    const [appended] = await rooms.writer.append(request);
    const { pos } = appended!;
    if (pos === null || isOwn(sender)) return;
    await needs.passOn({ roomNid, eventNid: pos, origin: serverName });
  }

  /** Has the inviting server do it. */
  async function forward({ roomId, sender, userId, signed }: RedeemedInvite): Promise<void> {
    const content = {
      membership: 'invite',
      // The name is known where the invite is.
      third_party_invite: { display_name: '', signed },
    };
    const uri = `/_matrix/federation/v1/exchange_third_party_invite/${encodeURIComponent(roomId)}`;
    const event = { type: 'm.room.member', room_id: roomId, sender, state_key: userId, content };
    try {
      await federation.request(serverNameOf(sender), { method: 'PUT', uri, content: event });
    } catch (cause) {
      if (!(cause instanceof FederationError)) throw cause;
      const message = 'The inviting server did not redeem the invite';
      throw new MatrixError('M_UNKNOWN', message, { status: 502, cause });
    }
  }

  return {
    async redeem(invite) {
      const { roomId, sender } = invite;
      const room = await rooms.members.room(roomId);
      if (room && (await rooms.foreign.isResident(room.roomNid))) {
        await issue({ roomId, roomNid: room.roomNid }, invite);
        return;
      }
      if (isOwn(sender)) throw new MatrixError('M_NOT_FOUND', 'This server is not in the room');
      await forward(invite);
    },
    async exchange(invite, origin) {
      if (serverNameOf(invite.userId) !== origin) {
        throw forbidden('The invited user is of another server');
      }
      if (!isOwn(invite.sender)) throw forbidden('Who invites is of another server');
      await issue(await residentRoom(rooms, invite.roomId, origin), invite);
    },
  };
}
