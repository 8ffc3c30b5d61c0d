import { MatrixError } from '../kernel/errors.ts';
import type { RoomServices } from '../rooms/module.ts';
import { allowedRooms, describe, mayKnow, type RoomDescription } from './described-room.ts';
import type { ChildRow, DescribedRow, SpaceStore } from './store/spaces.ts';

export interface HierarchyWish {
  roomId: string;
  suggestedOnly: boolean;
  /** How far down the tree; 0: the room alone. */
  depthMax: number;
  limit: number;
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
  order: string | null;
  isSuggested: boolean;
  originServerTs: number;
  row: ChildRow;
}

/** A valid `order` (client-server spec, "Ordering of children within a space"). */
const orderPattern = /^[\x20-\x7e]{1,50}$/;

export function childrenOf(row: DescribedRow, suggestedOnly: boolean): Child[] {
  const children = (row.children ?? []).flatMap((child): Child[] => {
    const content = JSON.parse(child.content) as Record<string, unknown>;
    if (!Array.isArray(content['via'])) return [];
    const { order, suggested } = content;
    const isSuggested = suggested === true;
    if (suggestedOnly && !isSuggested) return [];
    const { stateKey: roomId, originServerTs } = child;
    const isOrdered = typeof order === 'string' && orderPattern.test(order);
    return [{ roomId, order: isOrdered ? order : null, isSuggested, originServerTs, row: child }];
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

interface WalkOptions {
  suggestedOnly: boolean;
  depthMax: number;
  mayKnow(row: DescribedRow): boolean;
}

/** Rooms of a tree, each once, parents before children, one child's tree before the next. */
export function* walk(
  rows: ReadonlyMap<string, DescribedRow>,
  rootId: string,
  options: WalkOptions,
): Generator<HierarchyRoom> {
  const seen = new Set<string>();
  const waiting = [{ roomId: rootId, depth: 0 }];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const row = rows.get(next.roomId);
    if (seen.has(next.roomId) || !row) continue;
    seen.add(next.roomId);
    if (!options.mayKnow(row)) continue;
    const described = describe(row);
    const isSpace = described.room_type === 'm.space';
    const children = isSpace ? childrenOf(row, options.suggestedOnly) : [];
    yield { ...described, children_state: children.map(strippedChild) };
    if (next.depth === options.depthMax) continue;
    const depth = next.depth + 1;
    for (const { roomId } of children.toReversed()) waiting.push({ roomId, depth });
  }
}

/** Rows that the user may know of, as a question: answered with one query for all. */
export async function knowledgeOf(
  rooms: Pick<RoomServices, 'members'>,
  rows: readonly DescribedRow[],
  userNid: number,
): Promise<(row: DescribedRow) => boolean> {
  const allowed = [...new Set(rows.flatMap(allowedRooms))];
  const joined = allowed.length > 0 ? await rooms.members.joinedAmong(userNid, allowed) : [];
  const inThese = new Set(joined);
  return (row) => mayKnow(row, inThese);
}

/** A page of a space's tree. Throws M_FORBIDDEN when the user may not know of its root. */
export async function hierarchy(
  needs: { rooms: Pick<RoomServices, 'members'>; store: SpaceStore },
  user: { userId: string; userNid: number },
  wish: HierarchyWish,
): Promise<HierarchyPage> {
  const { store } = needs;
  const forbidden = () =>
    new MatrixError(
      'M_FORBIDDEN',
      `User ${user.userId} not in room ${wish.roomId}, and cannot preview it`,
    );
  const rootNid = await store.roomNid(wish.roomId);
  if (rootNid === null) throw forbidden();
  const rows = await store.described(await store.tree(rootNid, wish.depthMax), user.userNid);
  const mayKnowOf = await knowledgeOf(needs.rooms, rows, user.userNid);
  const byId = new Map(rows.map((row) => [row.roomId, row]));
  const root = byId.get(wish.roomId);
  if (!root || !mayKnowOf(root)) throw forbidden();
  const { suggestedOnly, depthMax, limit, skip } = wish;
  const rooms = [...walk(byId, wish.roomId, { suggestedOnly, depthMax, mayKnow: mayKnowOf })];
  return { rooms: rooms.slice(skip, skip + limit), hasMore: rooms.length > skip + limit };
}
