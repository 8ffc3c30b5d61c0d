import { MatrixError } from '../kernel/errors.ts';
import type { RoomDescription } from './described-room.ts';
import type { ChildRow } from './store/spaces.ts';
import { createTree, type TreeNeeds } from './tree.ts';

export interface HierarchyWish {
  roomId: string;
  /** Servers to ask when this one is not in the room. */
  via: readonly string[];
  suggestedOnly: boolean;
  /** How far down the tree; 0: the room alone. */
  depthMax: number;
  limit: number;
  /** As in TreeView. */
  seesAll?: boolean;
  /** Rooms of the walk that have been given already. */
  skip: number;
}

export type HierarchyRoom = RoomDescription & { children_state: unknown[] };

export interface HierarchyPage {
  rooms: HierarchyRoom[];
  hasMore: boolean;
}

/** A child of a space, as its m.space.child event says. */
export interface Child {
  roomId: string;
  via: string[];
  order: string | null;
  isSuggested: boolean;
  originServerTs: number;
  row: ChildRow;
}

/** A valid `order` (client-server spec, "Ordering of children within a space"). */
const orderPattern = /^[\x20-\x7e]{1,50}$/;

/** Those of the children that are in a space still, in their order. */
export function childrenOf(rows: readonly ChildRow[], suggestedOnly: boolean): Child[] {
  const children = rows.flatMap((row): Child[] => {
    const content = JSON.parse(row.content) as Record<string, unknown>;
    const { via, order, suggested } = content;
    if (!Array.isArray(via)) return [];
    const isSuggested = suggested === true;
    if (suggestedOnly && !isSuggested) return [];
    const { stateKey: roomId, originServerTs } = row;
    const isOrdered = typeof order === 'string' && orderPattern.test(order);
    const servers = via.filter((server) => typeof server === 'string');
    const place = { order: isOrdered ? order : null, isSuggested, originServerTs };
    return [{ roomId, via: servers, ...place, row }];
  });
  return children.sort(compareChildren);
}

const compareText = (a: string, b: string) => (a < b ? -1 : Number(a > b));

function compareChildren(a: Child, b: Child): number {
  if (a.order !== b.order) {
    if (a.order === null) return 1;
    if (b.order === null) return -1;
    return compareText(a.order, b.order);
  }
  return a.originServerTs - b.originServerTs || compareText(a.roomId, b.roomId);
}

export const strippedChild = ({ row }: Child) => ({
  type: 'm.space.child',
  state_key: row.stateKey,
  content: JSON.parse(row.content) as unknown,
  sender: row.sender,
  origin_server_ts: row.originServerTs,
});

/** A room of a walk that has not been visited yet. */
export interface Waiting {
  roomId: string;
  via: readonly string[];
  depth: number;
}

/** A room as the user may see it. */
export interface TreeRoom {
  description: RoomDescription;
  children: readonly ChildRow[];
}

export interface WalkOptions {
  suggestedOnly: boolean;
  depthMax: number;
  /**
   * Null: nothing of it is shown. `upcoming`: the rooms that come after it unless others come before
   * them, the last one first.
   */
  find(next: Waiting, upcoming: readonly Waiting[]): TreeRoom | null | Promise<TreeRoom | null>;
}

/** Rooms that one walk visits. */
const visitsMax = 5_000;

/** Rooms of a tree, each once, parents before children, one child's tree before the next. */
export async function* walk(
  root: Waiting,
  { suggestedOnly, depthMax, find }: WalkOptions,
): AsyncGenerator<HierarchyRoom> {
  const seen = new Set<string>();
  const waiting = [root];
  for (let next = waiting.pop(); next && seen.size < visitsMax; next = waiting.pop()) {
    if (seen.has(next.roomId)) continue;
    seen.add(next.roomId);
    const found = find(next, waiting);
    // oxlint-disable-next-line no-await-in-loop -- what comes next depends on what is found
    const room = found instanceof Promise ? await found : found;
    if (room === null) continue;
    const isSpace = room.description.room_type === 'm.space';
    const children = isSpace ? childrenOf(room.children, suggestedOnly) : [];
    yield { ...room.description, children_state: children.map(strippedChild) };
    if (next.depth === depthMax) continue;
    const depth = next.depth + 1;
    for (const { roomId, via } of children.toReversed()) waiting.push({ roomId, via, depth });
  }
}

/** A page of a space's tree. Throws M_FORBIDDEN when the user may not know of its root. */
export async function hierarchy(
  needs: TreeNeeds,
  user: { userId: string; userNid: number },
  wish: HierarchyWish,
): Promise<HierarchyPage> {
  const { roomId, via, suggestedOnly, depthMax, limit, skip } = wish;
  const tree = createTree(needs, { userNid: user.userNid, depthMax, seesAll: wish.seesAll });
  await tree.load([roomId]);
  const options = { suggestedOnly, depthMax, find: tree.find };
  const rooms: HierarchyRoom[] = [];
  let visited = 0;
  for await (const room of walk({ roomId, via, depth: 0 }, options)) {
    visited++;
    if (visited > skip) rooms.push(room);
    if (rooms.length > limit) break;
  }
  if (visited === 0) {
    throw new MatrixError(
      'M_FORBIDDEN',
      `User ${user.userId} not in room ${roomId}, and cannot preview it`,
    );
  }
  return { rooms: rooms.slice(0, limit), hasMore: rooms.length > limit };
}
