import { answerOf } from '../federation-client/answers.ts';
import type { FederationClient } from '../federation-client/federation-client.ts';
import { MatrixError } from '../kernel/errors.ts';
import { membership, type Elsewhere, type RoomServices } from '../rooms/module.ts';

/** [limit_remote_rooms] */
export interface RoomLimit {
  /** See `Complexity`, `v1`. */
  complexityMax: number;
  /** What users are told. */
  message: string;
  adminsMayJoin: boolean;
}

export interface RoomLimitNeeds {
  /** Null: rooms of any size are joined. */
  roomLimit: RoomLimit | null;
  federation: Pick<FederationClient, 'request'>;
  rooms: () => RoomServices;
  complexityOf(roomNid: number): Promise<{ v1: number }>;
}

/** Servers that are asked before it is tried out. */
const askedMax = 5;
const askMsMax = 10_000;

/** Joins by way of other servers, but for rooms that are too much for this one. */
export function limitedJoin(
  { roomLimit, federation, rooms, complexityOf }: RoomLimitNeeds,
  join: Elsewhere['join'],
  candidates: (roomId: string, servers: readonly string[]) => readonly string[],
): Elsewhere['join'] {
  if (roomLimit === null) return join;
  const { complexityMax, message, adminsMayJoin } = roomLimit;
  const tooComplex = () => new MatrixError('M_RESOURCE_LIMIT_EXCEEDED', message, { status: 400 });

  /** Whether this server is in the room already. */
  async function isHere(roomId: string): Promise<boolean> {
    const { members, foreign } = rooms();
    const room = await members.room(roomId);
    return room !== null && foreign.isResident(room.roomNid);
  }

  /** Null: nobody says. Servers answer about rooms that everybody may join. */
  async function told(roomId: string, servers: readonly string[]): Promise<number | null> {
    const uri = `/_matrix/federation/unstable/rooms/${encodeURIComponent(roomId)}/complexity`;
    for (const serverName of candidates(roomId, servers).slice(0, askedMax)) {
      const request = { method: 'GET', uri, timeoutMs: askMsMax } as const;
      // oxlint-disable-next-line no-await-in-loop -- the next only when one does not say
      const answer = await answerOf(federation, serverName, request);
      if (typeof answer?.['v1'] === 'number') return answer['v1'];
    }
    return null;
  }

  return async (actor, roomId, servers, content) => {
    const isFree = (adminsMayJoin && actor.isAdmin) || (await isHere(roomId));
    if (isFree) return join(actor, roomId, servers, content);
    const complexity = await told(roomId, servers);
    if (complexity !== null && complexity > complexityMax) throw tooComplex();
    const eventId = await join(actor, roomId, servers, content);
    if (complexity !== null) return eventId;
    const room = (await rooms().members.room(roomId))!;
    if ((await complexityOf(room.roomNid)).v1 <= complexityMax) return eventId;
    await membership.leave(rooms(), actor, roomId, message);
    throw tooComplex();
  };
}
