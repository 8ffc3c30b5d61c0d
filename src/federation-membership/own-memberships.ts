import { listOf } from '../federation-client/answers.ts';
import type { Clock } from '../kernel/clock.ts';
import { MatrixError } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import { buildPdu, type BuiltEvent } from '../matrix/event-builder.ts';
import { checkHistoric, type FindServerKey } from '../matrix/received-pdu.ts';
import { serverNameOf } from '../matrix/ids.ts';
import type { JsonObject, JsonValue } from '../matrix/pdu.ts';
import { knownRoomVersions, roomVersion } from '../matrix/room-versions.ts';
import type { SigningKey } from '../matrix/signing.ts';
import type { KnownRoom, ReceivedEvent, RoomServices } from '../rooms/module.ts';
import { checkRoom } from './check-room.ts';
import type { Handshake, Prepared, Wish } from './handshake.ts';
import { strippedIn } from './stripped-state.ts';
import { BadAnswer, tryServers } from './try-servers.ts';

export interface OwnMembershipsNeeds {
  serverName: string;
  signingKey: SigningKey;
  handshake: Handshake;
  rooms: () => RoomServices;
  findKey: FindServerKey;
  receive: ReceiveEvent;
  clock: Clock;
  log: Log;
}

/** Takes in an event of a room that this server is in, as another server gives it. */
export type ReceiveEvent = (
  origin: string,
  room: KnownRoom,
  event: BuiltEvent,
) => Promise<ReceivedEvent>;

/** Servers that are tried for one wish. */
const triedMax = 20;

/** Local users' memberships in rooms that this server is not in. */
export function createOwnMemberships(needs: OwnMembershipsNeeds) {
  const { serverName: ownName, handshake, rooms, findKey, clock } = needs;

  /** Those that may help, the likeliest first. Where none is named, that of the room's id may. */
  function candidates(roomId: string, servers: readonly string[]): string[] {
    const others = (names: readonly string[]) =>
      [...new Set(names.filter((name) => name !== '' && name !== ownName))].slice(0, triedMax);
    const named = others(servers);
    return named.length > 0 ? named : others([serverNameOf(roomId)]);
  }

  /** The join with what the other server has added: a signature of the server that vouches. */
  async function countersigned(
    serverName: string,
    { version, event }: Prepared,
    roomId: string,
    given: JsonValue | undefined,
  ): Promise<BuiltEvent> {
    if (event.pdu.content['join_authorised_via_users_server'] === undefined) return event;
    const checked = await checkHistoric(version, roomId, given, findKey);
    if (typeof checked === 'string') throw new BadAnswer(serverName, `the join: ${checked}`);
    if (checked.eventId !== event.eventId) throw new BadAnswer(serverName, 'it is another join');
    return checked;
  }

  /** The room as it is known here, if this server is in it. */
  async function ownRoom(roomId: string): Promise<KnownRoom | null> {
    const { members, foreign } = rooms();
    const room = await members.room(roomId);
    return room && (await foreign.isResident(room.roomNid)) ? { roomId, ...room } : null;
  }

  /** The join of a room that this server is in is an event as others are that come there. */
  async function receive(serverName: string, room: KnownRoom, join: BuiltEvent): Promise<void> {
    const { outcome, reason } = await needs.receive(serverName, room, join);
    if (outcome === 'accepted' || outcome === 'known') return;
    throw new BadAnswer(serverName, `the join is not let in: ${reason ?? outcome}`);
  }

  async function joinBy(
    serverName: string,
    wish: Wish,
    resident: KnownRoom | null,
  ): Promise<string> {
    const { roomId } = wish;
    const prepared = await handshake.prepare(serverName, wish, knownRoomVersions);
    const { version } = prepared;
    const answer = await handshake.send(serverName, wish, prepared.event);
    const join = await countersigned(serverName, prepared, roomId, answer['event']);
    if (resident) {
      await receive(serverName, resident, join);
      return join.eventId;
    }
    const given = {
      roomId,
      version,
      state: listOf(answer['state']),
      authChain: listOf(answer['auth_chain']),
    };
    const checked = await checkRoom(given, join, findKey);
    if (!checked) throw new BadAnswer(serverName, 'the room that it gives does not hold together');
    await rooms().foreign.adopt({ roomId, roomVersion: version.id, ...checked, join });
    return join.eventId;
  }

  return {
    candidates,
    /**
     * Joins a room by way of another server that is in it; gives the event's id. `servers`: who may be,
     * else it is that of the room's id. Throws M_NOT_FOUND, M_FORBIDDEN and what else a server says;
     * M_UNKNOWN with 502.
     */
    async join(
      actor: { userId: string },
      roomId: string,
      servers: readonly string[],
      content: JsonObject,
    ): Promise<string> {
      const wish: Wish = { kind: 'join', roomId, userId: actor.userId, content };
      const resident = await ownRoom(roomId);
      return tryServers(candidates(roomId, servers), 'join the room', (serverName) =>
        joinBy(serverName, wish, resident),
      );
    },
    /** Knocks. As `join`. */
    async knock(
      actor: { userId: string },
      roomId: string,
      servers: readonly string[],
      content: JsonObject,
    ): Promise<void> {
      const wish: Wish = { kind: 'knock', roomId, userId: actor.userId, content };
      const versions = knownRoomVersions.filter((id) => roomVersion(id).knocking);
      await tryServers(candidates(roomId, servers), 'knock', async (serverName) => {
        const { version, event } = await handshake.prepare(serverName, wish, versions);
        const answer = await handshake.send(serverName, wish, event);
        const strippedState = strippedIn(answer['knock_room_state']);
        await rooms().foreign.takeStray({ roomId, roomVersion: version.id, event, strippedState });
      });
    },
    /**
     * Turns down an invite, or takes back a knock. When nobody can be reached the user leaves all the
     * same, and the others do not know.
     */
    async leave(
      actor: { userId: string; userNid: number },
      roomId: string,
      servers: readonly string[],
      content: JsonObject,
    ): Promise<void> {
      const wish: Wish = { kind: 'leave', roomId, userId: actor.userId, content };
      const { foreign } = rooms();
      let left: Prepared;
      try {
        left = await tryServers(
          candidates(roomId, servers),
          'leave the room',
          async (serverName) => {
            const prepared = await handshake.prepare(serverName, wish, knownRoomVersions);
            await handshake.send(serverName, wish, prepared.event);
            return prepared;
          },
        );
      } catch (error) {
        if (!(error instanceof MatrixError)) throw error;
        needs.log.info({ roomId, reason: error.message }, 'a user leaves a room of others unheard');
        left = await alone(actor, roomId, content);
      }
      const { version, event } = left;
      await foreign.takeStray({ roomId, roomVersion: version.id, event, strippedState: null });
    },
  };

  /** A leave that follows what is known of the room: how the user came to be invited. */
  async function alone(
    { userId, userNid }: { userId: string; userNid: number },
    roomId: string,
    content: JsonObject,
  ): Promise<Prepared> {
    const access = (await rooms().access.of(roomId, userNid))!;
    const version = roomVersion(access.roomVersion);
    const event = buildPdu(
      version,
      {
        type: 'm.room.member',
        room_id: roomId,
        sender: userId,
        state_key: userId,
        content: { ...content, membership: 'leave' },
        origin_server_ts: clock.now(),
        depth: 1,
        prev_events: [],
        auth_events: [],
      },
      ownName,
      needs.signingKey,
    );
    return { version, event };
  }
}
