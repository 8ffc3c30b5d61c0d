import { MatrixError } from '../kernel/errors.ts';
import { isRoomAlias, serverNameOf } from '../matrix/ids.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import type { RoomServices } from './services.ts';
import { contentOf } from './stored-event.ts';

/** More new aliases than this in one event are refused, since each is looked up. */
const newAliasesMax = 50;

function aliasesOf(content: JsonObject): string[] {
  const { alias, alt_aliases: others } = content;
  const all: unknown[] = [];
  if (alias !== undefined && alias !== null && alias !== '') all.push(alias);
  if (Array.isArray(others)) all.push(...others);
  else if (others !== undefined) {
    throw new MatrixError('M_INVALID_PARAM', 'alt_aliases must be a list of aliases');
  }
  return all.map((entry) => {
    if (typeof entry !== 'string' || !isRoomAlias(entry)) {
      throw new MatrixError('M_INVALID_PARAM', `Not a room alias: ${JSON.stringify(entry)}`);
    }
    return entry;
  });
}

/**
 * Refuses a canonical alias event that brings aliases which do not point to the room: M_BAD_ALIAS,
 * or M_INVALID_PARAM for what is no alias. Source: client-server spec, "m.room.canonical_alias".
 */
export async function checkCanonicalAlias(
  services: RoomServices,
  roomId: string,
  content: JsonObject,
): Promise<void> {
  const aliases = aliasesOf(content);
  if (aliases.length === 0) return;
  const found = await services.directory.find(roomId);
  if (!found) return;
  const [entries, own] = await Promise.all([
    services.states.entries(found.roomNid, [['m.room.canonical_alias', '']]),
    services.aliases.ofRoom(found.roomNid),
  ]);
  const before = entries[0] ? contentOf(entries[0]) : {};
  const known = new Set([...own, before['alias'], ...listOf(before['alt_aliases'])]);
  const added = aliases.filter((alias) => !known.has(alias));
  if (added.length > newAliasesMax) {
    throw new MatrixError('M_INVALID_PARAM', `At most ${newAliasesMax} aliases at once`);
  }
  const stands = await Promise.all(added.map((alias) => standsFor(services, alias, roomId)));
  const bad = added.find((_, i) => !stands[i]);
  if (bad === undefined) return;
  throw new MatrixError('M_BAD_ALIAS', `Room alias ${bad} does not point to the room`);
}

/** Whether an alias that is not one of the room here stands for it on its own server. */
async function standsFor(services: RoomServices, alias: string, roomId: string): Promise<boolean> {
  if (serverNameOf(alias) === services.config.serverName) return false;
  try {
    return (await services.remoteDirectory.locate(alias)).roomId === roomId;
  } catch (error) {
    if (error instanceof MatrixError) return false;
    throw error;
  }
}

const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
