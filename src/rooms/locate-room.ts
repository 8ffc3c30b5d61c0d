import { MatrixError } from '../kernel/errors.ts';
import { isRoomAlias, isRoomId, serverNameOf } from '../matrix/ids.ts';
import type { RoomServices } from './services.ts';

/** A room, and where it can be joined. */
export interface LocatedRoom {
  roomId: string;
  /** Servers that are said to be in the room, this one first if it is. */
  servers: string[];
}

/** Servers that are told of one room. */
const serversMax = 500;

/** Servers with joined users in a room, as far as is known here; this one first. */
async function serversIn(services: RoomServices, roomNid: number): Promise<string[]> {
  const { members, servers, config } = services;
  const [others, member] = await Promise.all([
    servers.joined([roomNid]),
    members.localMemberExcept(roomNid, []),
  ]);
  return [...(member === null ? [] : [config.serverName]), ...others.get(roomNid)!.keys()];
}

async function locateRemotely(services: RoomServices, alias: string): Promise<LocatedRoom> {
  const { roomId, servers } = await services.remoteDirectory.locate(alias);
  const known = await services.directory.find(roomId);
  const found = known === null ? [] : await serversIn(services, known.roomNid);
  return { roomId, servers: [...new Set([...found, ...servers])].slice(0, serversMax) };
}

const notFound = (alias: string) => new MatrixError('M_NOT_FOUND', `Room alias ${alias} not found`);

const isOwn = ({ config }: RoomServices, alias: string) =>
  serverNameOf(alias) === config.serverName;

/** A room by an alias of this server; application services are asked for one that is not known. */
async function findOwn({ aliases, appserviceAliases }: RoomServices, alias: string) {
  const found = await aliases.find(alias);
  if (found) return found;
  const made = (await appserviceAliases.hasAlias(alias)) ? await aliases.find(alias) : null;
  if (!made) throw notFound(alias);
  return made;
}

/**
 * The room that an alias stands for; the server of the alias is asked. Throws M_NOT_FOUND, and
 * M_FORBIDDEN or M_UNKNOWN (502) when the server may not or cannot be asked.
 */
export async function locateAlias(services: RoomServices, alias: string): Promise<LocatedRoom> {
  if (!isOwn(services, alias)) return locateRemotely(services, alias);
  const found = await findOwn(services, alias);
  const servers = (await serversIn(services, found.roomNid)).slice(0, serversMax);
  // Of a room that everybody has left nobody else knows more.
  return {
    roomId: found.roomId,
    servers: servers.length > 0 ? servers : [services.config.serverName],
  };
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
  if (!isOwn(services, idOrAlias)) return (await locateAlias(services, idOrAlias)).roomId;
  return (await findOwn(services, idOrAlias)).roomId;
}

/** The room, and servers by way of which it may be joined beside those that the client names. */
export async function locateEntrance(
  services: RoomServices,
  idOrAlias: string,
  named: readonly string[],
): Promise<LocatedRoom> {
  const isRemote = isRoomAlias(idOrAlias) && !isOwn(services, idOrAlias);
  if (!isRemote) return { roomId: await resolveRoom(services, idOrAlias), servers: [...named] };
  const { roomId, servers } = await locateAlias(services, idOrAlias);
  return { roomId, servers: [...named, ...servers] };
}
