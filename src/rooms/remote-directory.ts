import { toldToClient, type Questions } from '../federation-client/questions.ts';
import { MatrixError } from '../kernel/errors.ts';
import { isRoomId, isServerName, serverNameOf } from '../matrix/ids.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import type { LocatedRoom } from './locate-room.ts';

/** A page of another server's room directory. */
export interface RemoteRoomsWish {
  limit?: number | undefined;
  since?: string | undefined;
  /** What else a search has (server-server spec, queryPublicRooms). */
  search?: object;
}

/** What other servers' directories say. Rejects with M_FORBIDDEN, M_UNKNOWN (502). */
export interface RemoteDirectory {
  /** Asks the server of an alias, also with M_NOT_FOUND. */
  locate(alias: string): Promise<LocatedRoom>;
  publicRooms(serverName: string, wish: RemoteRoomsWish): Promise<JsonObject>;
}

const api = '/_matrix/federation/v1';
/** Aliases move seldom, but people look whether they did. */
const aliasKeptMs = 10_000;
const listKeptMs = 30_000;
/** 500 rooms with all that they may say of themselves. */
const listBytesMax = 8 * 1024 * 1024;

const isNamed = (room: unknown) =>
  typeof room === 'object' && room !== null && typeof (room as JsonObject)['room_id'] === 'string';

/** The members of an answer that are as specified; null: it has no list of rooms. */
function pageIn(answer: JsonObject): JsonObject | null {
  const {
    chunk,
    next_batch: next,
    prev_batch: previous,
    total_room_count_estimate: total,
  } = answer;
  if (!Array.isArray(chunk)) return null;
  return {
    chunk: chunk.filter(isNamed),
    ...(typeof next === 'string' ? { next_batch: next } : {}),
    ...(typeof previous === 'string' ? { prev_batch: previous } : {}),
    ...(typeof total === 'number' ? { total_room_count_estimate: total } : {}),
  };
}

export function createRemoteDirectory(questions: Questions): RemoteDirectory {
  return {
    async locate(alias) {
      const server = serverNameOf(alias);
      const uri = `${api}/query/directory?room_alias=${encodeURIComponent(alias)}`;
      const answer = await questions
        .ask(server, { uri, keptMs: aliasKeptMs })
        .catch((error: unknown) => {
          throw toldToClient(error, `The room alias ${alias}`, [404]);
        });
      const { room_id: roomId, servers } = answer;
      if (typeof roomId !== 'string' || !isRoomId(roomId)) {
        throw new MatrixError('M_NOT_FOUND', `Room alias ${alias} not found`);
      }
      const named = Array.isArray(servers)
        ? servers.filter((one): one is string => typeof one === 'string' && isServerName(one))
        : [];
      return { roomId, servers: named.length > 0 ? [...new Set(named)] : [server] };
    },
    async publicRooms(serverName, { limit, since, search }) {
      const page = {
        ...(limit === undefined ? {} : { limit }),
        ...(since === undefined ? {} : { since }),
      };
      const query = new URLSearchParams(
        Object.entries(page).map(([name, one]) => [name, `${one}`]),
      );
      const question =
        search === undefined
          ? { uri: `${api}/publicRooms?${query.toString()}` }
          : { uri: `${api}/publicRooms`, content: { ...search, ...page } as JsonObject };
      const kept = { keptMs: listKeptMs, bytesMax: listBytesMax };
      const what = 'The room directory';
      const answer = await questions
        .ask(serverName, { ...question, ...kept })
        .catch((error: unknown) => {
          throw toldToClient(error, what, []);
        });
      const found = pageIn(answer);
      if (found) return found;
      const message = `${serverName} gives no room directory`;
      throw new MatrixError('M_UNKNOWN', message, { status: 502 });
    },
  };
}
