import { MatrixError } from '../kernel/errors.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import { checkAliasAllowed, checkAliasFree, checkPublicationAllowed } from './directory-rules.ts';
import type { Actor } from './needs.ts';
import { notInRoom } from './room-access.ts';
import { visibilityOf } from './read-access.ts';
import type { RoomServices } from './services.ts';
import { contentOf } from './stored-event.ts';

/** What shows that a user runs a room: being able to set its canonical alias. */
const canonicalAlias = (sender: string, content: JsonObject = {}) => ({
  sender,
  type: 'm.room.canonical_alias',
  stateKey: '',
  content,
});

/** Throws M_FORBIDDEN, M_EXCLUSIVE, M_NOT_FOUND, M_ROOM_IN_USE. */
export async function addAlias(
  services: RoomServices,
  actor: Actor,
  alias: string,
  roomId: string,
): Promise<void> {
  const access = await services.access.of(roomId, actor.userNid);
  if (!access) throw new MatrixError('M_NOT_FOUND', 'This server does not know the room');
  if (access.membership !== 'join' && !actor.isAdmin && !actor.appservice) {
    throw notInRoom(actor.userId, roomId);
  }
  checkAliasFree(services.appserviceAliases, actor, alias);
  checkAliasAllowed(services.config, actor, alias, roomId);
  if (!(await services.aliases.add(alias, access.roomNid, actor.userNid))) {
    throw new MatrixError('M_ROOM_IN_USE', `Room alias ${alias} already exists`, { status: 409 });
  }
}

/**
 * Removes an alias of which the user is the maker, or whose room the user runs, and takes it out
 * of the room's canonical aliases; application services remove all of theirs. Throws M_NOT_FOUND,
 * M_EXCLUSIVE, M_FORBIDDEN.
 */
export async function removeAlias(
  services: RoomServices,
  actor: Actor,
  alias: string,
): Promise<void> {
  const found = await services.aliases.find(alias);
  if (!found) throw new MatrixError('M_NOT_FOUND', `Room alias ${alias} not found`);
  checkAliasFree(services.appserviceAliases, actor, alias);
  const event = canonicalAlias(actor.userId);
  const mayChange = await services.writer.allows(found.roomId, event);
  const isOwn = found.creatorNid === actor.userNid || actor.appservice !== null;
  if (!isOwn && !mayChange && !actor.isAdmin) {
    throw new MatrixError('M_FORBIDDEN', "You don't have permission to delete the alias.");
  }
  await services.aliases.remove(alias);
  if (!mayChange) return;
  const [entry] = await services.states.entries(found.roomNid, [[event.type, '']]);
  if (!entry) return;
  const content = { ...contentOf(entry) };
  const { alias: main, alt_aliases: others } = content;
  if (main === alias) delete content['alias'];
  if (Array.isArray(others)) content['alt_aliases'] = others.filter((other) => other !== alias);
  await services.writer.append({
    roomId: found.roomId,
    events: [canonicalAlias(actor.userId, content)],
    skipUnchangedState: true,
  });
}

/** For members, and for everybody when the room is world-readable. */
export async function aliasesOf(
  services: RoomServices,
  actor: Actor,
  roomId: string,
): Promise<string[]> {
  const access = await services.access.of(roomId, actor.userNid);
  if (!access) throw notInRoom(actor.userId, roomId);
  if (access.membership !== 'join') {
    const visibility = await visibilityOf(services, access.roomNid, actor.userId);
    if (!visibility.isWorldReadableNow) throw notInRoom(actor.userId, roomId);
  }
  return services.aliases.ofRoom(access.roomNid);
}

/** Shows a room in the directory or hides it. Throws M_NOT_FOUND, M_FORBIDDEN. */
export async function setPublic(
  services: RoomServices,
  actor: Actor,
  roomId: string,
  isPublic: boolean,
): Promise<void> {
  const found = await services.directory.find(roomId);
  if (!found) throw new MatrixError('M_NOT_FOUND', 'Unknown room');
  if (!actor.isAdmin) {
    const mayChange = await services.writer.allows(roomId, canonicalAlias(actor.userId));
    if (!mayChange) {
      throw new MatrixError('M_FORBIDDEN', 'You may not change the directory entry of this room');
    }
  }
  if (isPublic) {
    const aliases = await services.aliases.ofRoom(found.roomNid);
    checkPublicationAllowed(services.config, actor, roomId, aliases);
  }
  await services.directory.setPublic(found.roomNid, isPublic);
}
