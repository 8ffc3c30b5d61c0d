import { serverNameOf } from '../matrix/ids.ts';
import type { Presence } from '../presence/module.ts';
import type { EventRow } from '../rooms/module.ts';

/** Users of whom others learn when a room has new members: by then the room is shared. */
export interface Arrival {
  roomNid: number;
  /** Of the event with which they have come. */
  pos: number;
  /** This server's users. */
  localNids: readonly number[];
  /** Servers of the others. */
  serverNames: ReadonlySet<string>;
}

/** Null: nobody has come. */
export function arrivalIn({ event, memberships }: EventRow, pos: number): Arrival | null {
  const joins = memberships.filter(({ from, to }) => to === 'join' && from !== 'join');
  if (joins.length === 0) return null;
  const remote = joins.filter(({ isLocal }) => !isLocal);
  return {
    roomNid: event.roomNid,
    pos,
    localNids: joins.filter(({ isLocal }) => isLocal).map(({ userNid }) => userNid),
    serverNames: new Set(remote.map(({ userId }) => serverNameOf(userId))),
  };
}

export interface ArrivalNeeds {
  /** Joined users of this server in rooms; at most one query. */
  localMembers(
    roomNids: readonly number[],
  ): Promise<readonly { roomNid: number; userNid: number }[]>;
  /** Null: nothing is known, or the user is offline. */
  presentUser(userNid: number): Presence | null;
}

type JoinedServers = ReadonlyMap<number, ReadonlyMap<string, number>>;

/** Servers that had nobody in the room before. */
const newServers = (
  { roomNid, pos, serverNames }: Arrival,
  joined: JoinedServers,
  isFor: (serverName: string) => boolean,
): string[] =>
  [...serverNames].filter((name) => isFor(name) && (joined.get(roomNid)!.get(name) ?? 0) >= pos);

/**
 * Which servers are to be told how present users are: those in a room of this server's users who have
 * come there, and those that are new in it of everybody of this server who is there.
 */
export async function presenceOnArrival(
  arrivals: readonly Arrival[],
  joined: JoinedServers,
  isFor: (serverName: string) => boolean,
  { localMembers, presentUser }: ArrivalNeeds,
): Promise<(readonly [serverName: string, presence: Presence])[]> {
  const told: (readonly [string, Presence])[] = [];
  const tell = (names: readonly string[], userNids: Iterable<number>) => {
    if (names.length === 0) return;
    for (const userNid of userNids) {
      const presence = presentUser(userNid);
      if (presence) for (const name of names) told.push([name, presence]);
    }
  };
  const greeted = arrivals
    .map((arrival) => ({ ...arrival, names: newServers(arrival, joined, isFor) }))
    .filter(({ names }) => names.length > 0);
  const roomNids = [...new Set(greeted.map(({ roomNid }) => roomNid))];
  const members = roomNids.length > 0 ? await localMembers(roomNids) : [];
  const byRoom = Map.groupBy(members, ({ roomNid }) => roomNid);
  for (const { roomNid, names } of greeted) {
    const present = byRoom.get(roomNid) ?? [];
    tell(
      names,
      present.map(({ userNid }) => userNid),
    );
  }
  for (const { roomNid, localNids } of arrivals) {
    if (localNids.length > 0) tell([...joined.get(roomNid)!.keys()].filter(isFor), localNids);
  }
  return told;
}
