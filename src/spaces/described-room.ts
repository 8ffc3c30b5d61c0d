import { roomsAllowed, summaryOf, type RoomSummary } from '../rooms/module.ts';
import type { DescribedRow } from './store/spaces.ts';

/** What a room says of itself to those who are not in it (client-server spec, RoomSummary). */
export type RoomDescription = RoomSummary & {
  /** Other servers need not tell it. */
  room_version?: string;
  encryption?: string;
  allowed_room_ids?: string[];
};

const contentIn = (row: DescribedRow, type: string) =>
  (row.state[type] === undefined ? {} : JSON.parse(row.state[type])) as Record<string, unknown>;

const isRestricted = (joinRule: unknown) =>
  joinRule === 'restricted' || joinRule === 'knock_restricted';

/** The rooms whose members may join a restricted room; empty for others. */
export function allowedRooms(row: DescribedRow): string[] {
  const content = contentIn(row, 'm.room.join_rules');
  return isRestricted(content['join_rule']) ? roomsAllowed(content) : [];
}

export function describe(row: DescribedRow): RoomDescription {
  const { algorithm } = contentIn(row, 'm.room.encryption');
  const allowed = allowedRooms(row);
  return {
    ...summaryOf(row),
    room_version: row.roomVersion,
    ...(typeof algorithm === 'string' ? { encryption: algorithm } : {}),
    ...(allowed.length > 0 ? { allowed_room_ids: allowed } : {}),
  };
}

/** Those rules under which one is told of a room without having been there. */
const isOpen = (joinRule: unknown) =>
  joinRule === 'public' || joinRule === 'knock' || joinRule === 'knock_restricted';

/** Whether everybody may know what a room says of itself. */
export function isKnownToAll(row: DescribedRow): boolean {
  const visibility = contentIn(row, 'm.room.history_visibility')['history_visibility'];
  return (
    visibility === 'world_readable' || isOpen(contentIn(row, 'm.room.join_rules')['join_rule'])
  );
}

/**
 * Whether a user may know what a room says of itself. `joined`: the allowed rooms that the user is
 * in. Source: client-server spec, getSpaceHierarchy.
 */
export function mayKnow(row: DescribedRow, joined: ReadonlySet<string>): boolean {
  if (row.membership === 'join' || row.membership === 'invite') return true;
  const visibility = contentIn(row, 'm.room.history_visibility')['history_visibility'];
  if (row.membership === 'ban') return visibility === 'world_readable';
  return isKnownToAll(row) || allowedRooms(row).some((roomId) => joined.has(roomId));
}

/** The same of a room that another server has described. `membership`: the user's, as known here. */
export function mayKnowRemote(
  room: RoomDescription,
  membership: string | null,
  joined: ReadonlySet<string>,
): boolean {
  if (membership === 'join' || membership === 'invite' || room.world_readable) return true;
  if (membership === 'ban') return false;
  return (
    isOpen(room.join_rule) || (room.allowed_room_ids ?? []).some((roomId) => joined.has(roomId))
  );
}
