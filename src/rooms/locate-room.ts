import { MatrixError } from '../kernel/errors.ts';
import { isRoomAlias, isRoomId } from '../matrix/ids.ts';
import type { RoomServices } from './services.ts';

/** A room, and where it can be joined. */
export interface LocatedRoom {
  roomId: string;
  /** Servers that are said to be in the room, this one first if it is. */
  servers: string[];
}

/** Servers that are told of one room. */
const serversMax = 500;

async function serversIn(services: RoomServices, roomNid: number): Promise<string[]> {
  const { members, servers, config } = services;
  const [others, member] = await Promise.all([
    servers.joined([roomNid]),
    members.localMemberAmong(roomNid, [], true),
  ]);
  const found = [...others.get(roomNid)!];
  // A room that everybody has left can be found by nobody else.
  const isHere = member !== null || found.length === 0;
  return (isHere ? [config.serverName, ...found] : found).slice(0, serversMax);
}

const notFound = (alias: string) => new MatrixError('M_NOT_FOUND', `Room alias ${alias} not found`);

/** The room that an alias stands for. Throws M_NOT_FOUND. */
export async function locateAlias(services: RoomServices, alias: string): Promise<LocatedRoom> {
  const found = await services.aliases.find(alias);
  if (!found) throw notFound(alias);
  return { roomId: found.roomId, servers: await serversIn(services, found.roomNid) };
}

function checkAlias(text: string): void {
  if (isRoomAlias(text)) return;
  throw new MatrixError('M_INVALID_PARAM', `${text} was not legal room ID or room alias`);
}

/**
 * The room that a room id or alias names; no servers are known of an id. Throws M_INVALID_PARAM and
 * what `locateAlias` does.
 */
export async function locateRoom(services: RoomServices, idOrAlias: string): Promise<LocatedRoom> {
  if (isRoomId(idOrAlias)) return { roomId: idOrAlias, servers: [] };
  checkAlias(idOrAlias);
  return locateAlias(services, idOrAlias);
}

/** The same where only the id matters. */
export async function resolveRoom(services: RoomServices, idOrAlias: string): Promise<string> {
  if (isRoomId(idOrAlias)) return idOrAlias;
  checkAlias(idOrAlias);
  const found = await services.aliases.find(idOrAlias);
  if (!found) throw notFound(idOrAlias);
  return found.roomId;
}
