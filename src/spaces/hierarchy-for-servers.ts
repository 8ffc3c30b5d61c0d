import { MatrixError } from '../kernel/errors.ts';
import type { RoomServices } from '../rooms/module.ts';
import { allowedRooms, describe, isKnownToAll, type RoomDescription } from './described-room.ts';
import { childrenOf, strippedChild, type HierarchyRoom } from './hierarchy.ts';
import type { DescribedRow, SpaceStore } from './store/spaces.ts';

/** What another server gets of a space (server-server spec, getSpaceHierarchy). */
export interface ServerHierarchy {
  room: HierarchyRoom;
  children: RoomDescription[];
  /** Children that this server knows, and nobody of the other server may know. */
  inaccessible_children: string[];
}

interface Needs {
  rooms: Pick<RoomServices, 'servers'>;
  store: SpaceStore;
}

/** Children that are described in one answer. */
const childrenMax = 500;

/** Rooms that somebody of a server may know of, as a question; at most four queries for all. */
async function knowledgeOf(
  { rooms, store }: Needs,
  rows: readonly DescribedRow[],
  origin: string,
): Promise<(row: DescribedRow) => boolean> {
  const closed = rows.filter((row) => !isKnownToAll(row));
  if (closed.length === 0) return () => true;
  const allowedIds = [...new Set(closed.flatMap(allowedRooms))];
  const closedNids = closed.map((row) => row.roomNid);
  const [allowed, invited] = await Promise.all([
    allowedIds.length === 0 ? [] : store.roomNids(allowedIds),
    store.invitedServer(closedNids, origin),
  ]);
  const joined = await rooms.servers.joined([
    ...closedNids,
    ...allowed.map(({ roomNid }) => roomNid),
  ]);
  const isIn = (roomNid: number) => joined.get(roomNid)?.has(origin) ?? false;
  const invitedTo = new Set(invited);
  const allowedIn = new Set(
    allowed.flatMap(({ roomId, roomNid }) => (isIn(roomNid) ? roomId : [])),
  );
  return (row) =>
    isKnownToAll(row) ||
    isIn(row.roomNid) ||
    invitedTo.has(row.roomNid) ||
    allowedRooms(row).some((roomId) => allowedIn.has(roomId));
}

/** A space and its children, as far as users of another server may know. Throws M_NOT_FOUND. */
export async function hierarchyForServer(
  needs: Needs,
  origin: string,
  { roomId, suggestedOnly }: { roomId: string; suggestedOnly: boolean },
): Promise<ServerHierarchy> {
  const { store } = needs;
  const notFound = () => new MatrixError('M_NOT_FOUND', `Unknown room: ${roomId}`);
  const rootNid = await store.roomNid(roomId);
  if (rootNid === null) throw notFound();
  /** No user has this number. */
  const nobody = 0;
  const rows = await store.described(await store.tree([rootNid], 1), nobody);
  const byId = new Map(rows.map((row) => [row.roomId, row]));
  const root = byId.get(roomId);
  if (!root) throw notFound();
  const mayKnow = await knowledgeOf(needs, rows, origin);
  if (!mayKnow(root)) throw notFound();
  const room = describe(root);
  const linked = room.room_type === 'm.space' ? childrenOf(root.children ?? [], suggestedOnly) : [];
  const children = linked
    .flatMap((child) => byId.get(child.roomId) ?? [])
    .filter((row) => row !== root)
    .slice(0, childrenMax);
  return {
    room: { ...room, children_state: linked.map(strippedChild) },
    children: children.filter(mayKnow).map(describe),
    inaccessible_children: children.filter((row) => !mayKnow(row)).map((row) => row.roomId),
  };
}
