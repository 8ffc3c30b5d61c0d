import { deviceListStream } from '../keys/module.ts';
import type { Log } from '../kernel/log.ts';
import { serverNameOf } from '../matrix/ids.ts';
import { eventStream, type MembershipChange, type RoomServers } from '../rooms/module.ts';
import type { Bus } from '../streams/bus.ts';
import { isEvent, type Item } from './destination.ts';
import { passedOnStream } from './streams.ts';

export interface FollowerNeeds {
  bus: Bus;
  log: Log;
  /** This server's. */
  serverName: string;
  servers: Pick<RoomServers, 'joined'>;
  /** Whether anything is sent from here. */
  isActive(): boolean;
  /** Something for other servers, each time in order. */
  deliver(item: Item, serverNames: ReadonlySet<string>): void;
  /** Servers may have come to the room after something was sent there: the database knows. */
  uncertain(item: Item, serverNames: readonly string[]): void;
  /** Too much came at once: what is after the one position up to the other was not delivered. */
  missed(afterPos: number, uptoPos: number): void;
}

/** Finds out which servers are to get what comes by the streams. */
export interface Follower {
  /** Everything up to here has been delivered. */
  position(): number;
  stop(): Promise<void>;
}

interface Entry {
  item: Item;
  roomNids: readonly number[];
  /** Further servers: those of users whose membership it changes. */
  others: readonly string[];
  /** Who has it already. */
  origin: string | null;
}

/** Servers may have been in a room when something was sent there, and be so no more. */
interface Departure {
  pos: number;
  roomNid: number;
  serverName: string;
}

/** What may wait for the database to say who is in rooms. */
const pendingMax = 20_000;
/** Looked up together. */
const togetherMax = 500;
/** Pause after the database did not answer. */
const retryMs = 1_000;

/** Servers of others whose membership an event changes; invites go to them in another way. */
const serversOf = (memberships: readonly MembershipChange[]): string[] =>
  memberships
    .filter(({ isLocal, from, to }) => !isLocal && to !== 'invite' && from !== 'leave')
    .map(({ userId }) => serverNameOf(userId));

export function createFollower(needs: FollowerNeeds): Follower {
  const { bus, log, serverName, servers } = needs;
  let pending: Entry[] = [];
  let departures: Departure[] = [];
  /** Up to here everything was delivered when there was last something to deliver. */
  let deliveredPos = bus.position();
  let running: Promise<void> | null = null;
  let isScheduled = false;
  let isStopped = false;

  function add(entry: Entry): void {
    if (pending.length >= pendingMax) overflow();
    pending.push(entry);
    if (isScheduled || running) return;
    isScheduled = true;
    // After the bus has moved to the position of these rows.
    setImmediate(go);
  }

  function overflow(): void {
    const uptoPos = pending.at(-1)!.item.pos;
    needs.missed(deliveredPos, uptoPos);
    pending = [];
    departures = [];
    deliveredPos = uptoPos;
  }

  bus.subscribe(eventStream, (rows) => {
    if (!needs.isActive()) return;
    for (const { pos, row } of rows) {
      const { roomNid, eventNid, sender } = row.event;
      if (pending.length > 0) {
        for (const { userId, isLocal, from, to } of row.memberships) {
          if (isLocal || from !== 'join' || to === 'join') continue;
          departures.push({ pos, roomNid, serverName: serverNameOf(userId) });
        }
      }
      // Our own on a fork is a join that another server has let in, and tells the others of.
      if (serverNameOf(sender) !== serverName || row.event.isForked) continue;
      const item = { pos, roomNid, eventNid };
      add({ item, roomNids: [roomNid], others: serversOf(row.memberships), origin: null });
    }
  });
  bus.subscribe(passedOnStream, (rows) => {
    if (!needs.isActive()) return;
    for (const { pos, row } of rows) {
      const { roomNid, eventNid, origin } = row;
      add({ item: { pos, roomNid, eventNid }, roomNids: [roomNid], others: [], origin });
    }
  });
  bus.subscribe(deviceListStream, (rows) => {
    if (!needs.isActive()) return;
    for (const { pos, row } of rows) {
      const { userNid, userId, roomNids } = row;
      if (serverNameOf(userId) !== serverName) continue;
      add({ item: { pos, userNid, userId }, roomNids, others: [], origin: null });
    }
  });

  function deliver(
    { item, roomNids, others, origin }: Entry,
    joined: ReadonlyMap<number, ReadonlyMap<string, number>>,
  ) {
    const names = new Set(others);
    const late = new Set<string>();
    for (const roomNid of roomNids) {
      for (const [name, sincePos] of joined.get(roomNid)!) {
        if (isEvent(item) && sincePos > item.pos) late.add(name);
        else names.add(name);
      }
      for (const departure of departures) {
        const wasThere = departure.roomNid === roomNid && departure.pos > item.pos;
        if (wasThere) names.add(departure.serverName);
      }
    }
    if (origin !== null) names.delete(origin);
    names.delete(serverName);
    if (names.size > 0) needs.deliver(item, names);
    const uncertain = [...late].filter((name) => name !== origin && !names.has(name));
    if (uncertain.length > 0) needs.uncertain(item, uncertain);
  }

  async function work(): Promise<void> {
    while (pending.length > 0) {
      if (isStopped) return;
      const uptoPos = Math.max(bus.position(), pending.at(-1)!.item.pos);
      const entries = pending.slice(0, togetherMax);
      const roomNids = new Set(entries.flatMap((entry) => entry.roomNids));
      // oxlint-disable-next-line no-await-in-loop
      const joined = await servers.joined([...roomNids]);
      // Too much came meanwhile, and all of it is to be read again.
      if (pending[0] !== entries[0]) continue;
      for (const entry of entries) deliver(entry, joined);
      const isAll = entries.length === pending.length;
      pending.splice(0, entries.length);
      deliveredPos = isAll ? Math.max(uptoPos, deliveredPos) : entries.at(-1)!.item.pos;
      if (isAll) departures = [];
    }
  }

  function go(): void {
    isScheduled = false;
    running ??= work()
      .catch(async (error: unknown) => {
        log.warn({ err: error }, 'who is to get events could not be found out; trying again');
        await new Promise((resolve) => setTimeout(resolve, retryMs));
      })
      .finally(() => {
        running = null;
        if (pending.length > 0 && !isStopped) go();
      });
  }

  return {
    position: () => (pending.length > 0 ? deliveredPos : Math.max(deliveredPos, bus.position())),
    async stop() {
      isStopped = true;
      await running;
    },
  };
}
