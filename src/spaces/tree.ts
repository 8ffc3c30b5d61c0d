import type { Clock } from '../kernel/clock.ts';
import type { RoomServices } from '../rooms/module.ts';
import { allowedRooms, describe, mayKnow, mayKnowRemote } from './described-room.ts';
import type { RoomDescription } from './described-room.ts';
import type { TreeRoom, Waiting } from './hierarchy.ts';
import type { RemoteRoom, RemoteRooms } from './remote-rooms.ts';
import type { DescribedRow, SpaceStore } from './store/spaces.ts';

export interface TreeNeeds {
  rooms: Pick<RoomServices, 'members'>;
  store: SpaceStore;
  remoteRooms: RemoteRooms;
  clock: Clock;
}

/** The rooms of a tree of spaces, as one user may see them, found as a walk needs them. */
export interface Tree {
  /** Reads rooms that this server is in, and what is below them. */
  load(roomIds: readonly string[]): Promise<void>;
  /** As in WalkOptions. */
  find(next: Waiting, upcoming: readonly Waiting[]): TreeRoom | null | Promise<TreeRoom | null>;
}

/** Rooms that other servers are asked about in one request. */
const asksMax = 60;
/** Rooms that they are asked about at once: the next ones of a walk beside that which is visited. */
const aheadMax = 8;
/** After this no more are asked; a walk goes on with what is known. */
const askingMsMax = 30_000;

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

/** The same of rooms that another server has described; two queries for all. */
export async function knowledgeOfRemote(
  { rooms, store }: Pick<TreeNeeds, 'rooms' | 'store'>,
  described: readonly RoomDescription[],
  userNid: number,
): Promise<(room: RoomDescription) => boolean> {
  const allowed = [...new Set(described.flatMap((room) => room.allowed_room_ids ?? []))];
  const [joined, memberships] = await Promise.all([
    allowed.length > 0 ? rooms.members.joinedAmong(userNid, allowed) : [],
    store.memberships(
      userNid,
      described.map((room) => room.room_id),
    ),
  ]);
  const inThese = new Set(joined);
  return (room) => mayKnowRemote(room, memberships.get(room.room_id) ?? null, inThese);
}

export interface TreeView {
  userNid: number;
  depthMax: number;
  /** For an admin: all rooms that this server is in, and no others. */
  seesAll?: boolean;
}

export function createTree(needs: TreeNeeds, { userNid, depthMax, seesAll }: TreeView): Tree {
  const { rooms, store, remoteRooms, clock } = needs;
  /** Rooms that this server is in; null: hidden from the user. */
  const here = new Map<string, TreeRoom | null>();
  /** What servers said of children; null: hidden from the user, or not to be asked for. */
  const told = new Map<string, RoomDescription | null>();
  const asking = new Map<string, Promise<TreeRoom | null>>();
  const untilTs = clock.now() + askingMsMax;

  async function load(roomIds: readonly string[]): Promise<void> {
    const missing = roomIds.filter((roomId) => !here.has(roomId));
    const roots = missing.length === 0 ? [] : await store.roomNids(missing);
    if (roots.length === 0) return;
    const rootNids = roots.map(({ roomNid }) => roomNid);
    const rows = await store.described(await store.tree(rootNids, depthMax), userNid);
    const mayKnowOf = seesAll ? () => true : await knowledgeOf(rooms, rows, userNid);
    for (const row of rows) {
      const room = { description: describe(row), children: row.children ?? [] };
      here.set(row.roomId, mayKnowOf(row) ? room : null);
    }
  }

  async function take({ room, children, described, inaccessible }: RemoteRoom) {
    const all = [room, ...described.values()];
    const childIds = children.map(({ stateKey }) => stateKey);
    const [mayKnowOf] = await Promise.all([knowledgeOfRemote(needs, all, userNid), load(childIds)]);
    for (const roomId of inaccessible) told.set(roomId, null);
    for (const [roomId, child] of described) told.set(roomId, mayKnowOf(child) ? child : null);
    return mayKnowOf(room) ? { description: room, children } : null;
  }

  async function ask({ roomId, via }: Waiting): Promise<TreeRoom | null> {
    const found = await remoteRooms.find(roomId, via);
    return found && take(found);
  }

  /** What is known of a room without asking; undefined: nothing. */
  function known({ roomId, depth }: Waiting): TreeRoom | null | undefined {
    const room = here.get(roomId);
    if (room !== undefined) return room;
    const description = told.get(roomId);
    if (description === undefined || description === null) return description;
    // What is in a space has to be asked for.
    const isWhole = description.room_type !== 'm.space' || depth >= depthMax;
    return isWhole ? { description, children: [] } : undefined;
  }

  function asked(one: Waiting): Promise<TreeRoom | null> {
    let answer = asking.get(one.roomId);
    if (!answer) {
      const isLate = asking.size >= asksMax || clock.now() >= untilTs;
      answer = isLate ? Promise.resolve(null) : ask(one);
      // Who looks ahead may never come to it.
      answer.catch(() => undefined);
      asking.set(one.roomId, answer);
    }
    return answer;
  }

  return {
    load,
    find(next, upcoming) {
      const found = known(next);
      if (found !== undefined || seesAll) return found ?? null;
      const answer = asked(next);
      for (const one of upcoming.slice(-aheadMax).toReversed()) {
        if (known(one) === undefined) void asked(one);
      }
      return answer;
    },
  };
}
