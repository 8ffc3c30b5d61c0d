import { shardOf } from '../cluster/role.ts';
import type { Fence } from '../database/fence.ts';
import type { DeviceUpdates } from '../keys/module.ts';
import type { Log } from '../kernel/log.ts';
import { serverNameOf } from '../matrix/ids.ts';
import type { RoomServers } from '../rooms/module.ts';
import type { Destination } from './destination.ts';
import type { Destinations } from './destinations.ts';
import type { Dispatch } from './dispatch.ts';
import type { EphemeralEdus } from './ephemeral-edus.ts';
import { federationSenderRole } from './role.ts';
import type { DestinationProgress, DestinationStore } from './store/destinations.ts';
import type { OwnEventStore } from './store/own-events.ts';

export interface HolderNeeds {
  store: DestinationStore;
  events: Pick<OwnEventStore, 'places'>;
  devices: Pick<DeviceUpdates, 'changes'>;
  /** Servers for which messages to devices wait. */
  serversWithMessages(): Promise<string[]>;
  servers: Pick<RoomServers, 'joined'>;
  destinations: Destinations;
  ephemeral: Pick<EphemeralEdus, 'dueTs'>;
  dispatch: Pick<Dispatch, 'wake' | 'settle'>;
  /** Everything up to here has been added to the queues of shards that are held. */
  position(): number;
  /** Resolves when it is known which servers do not answer. */
  ready: Promise<void>;
  isAllowed(serverName: string): boolean;
  log: Log;
}

/** What a process does for the shards of the role that it holds. */
export interface Holder {
  taken(shards: readonly number[], fences: readonly Fence[]): void;
  released(shards: readonly number[]): Promise<void>;
  /** Whether the shard is held, be it that nothing is sent yet. */
  holds(shard: number): boolean;
  /** Whether what waits for servers of the shard may be sent. */
  maySend(shard: number): boolean;
  isActive(): boolean;
  /** What is after a position was not added to the queues. */
  missed(afterPos: number): void;
  /** Writes everything down. */
  stop(): Promise<void>;
}

interface Shard {
  fence: Fence | null;
  /** The servers of the shard lack nothing up to here, but for those that are behind. */
  pos: number | null;
  /** What the database says. */
  storedPos: number;
  isReady: boolean;
  isLeaving: boolean;
}

/** How often progress is written down. */
const saveMs = 5_000;
/** A position of a shard with nothing to send is written when it is so much further. */
const positionStep = 1_000;
/** Pause after the database did not answer. */
const retryMs = 1_000;
/** Own events and changes of devices that are looked through at once. */
const placesPerPage = 1_000;

const stateOf = ({ behind }: DestinationProgress) => behind && JSON.stringify(behind);

export function createHolder(needs: HolderNeeds): Holder {
  const { store, events, devices, servers, destinations, ephemeral, dispatch, log } = needs;
  const shards = new Map<number, Shard>();
  let running: Promise<void> | null = null;
  let saving: Promise<void> | null = null;
  let isStopped = false;

  const pause = () => new Promise((resolve) => setTimeout(resolve, retryMs));

  /** Servers lack what happened in these rooms, or to these members, after the shards' positions. */
  async function markAll(
    places: readonly { pos: number; roomNids: readonly number[]; memberId: string | null }[],
    since: ReadonlyMap<number, number>,
  ): Promise<void> {
    const joined = await servers.joined([...new Set(places.flatMap(({ roomNids }) => roomNids))]);
    for (const { pos, roomNids, memberId } of places) {
      const names = new Set(roomNids.flatMap((nid) => [...joined.get(nid)!.keys()]));
      if (memberId !== null) names.add(serverNameOf(memberId));
      for (const name of names) if (needs.isAllowed(name)) mark(name, pos, since);
    }
  }

  function mark(name: string, pos: number, since: ReadonlyMap<number, number>): void {
    const afterPos = since.get(shardOf(federationSenderRole, name));
    if (afterPos === undefined || pos <= afterPos) return;
    const destination = destinations.of(name);
    // What the database says of it is more exact.
    if (destination.stored !== null) return;
    destinations.change(destination, () => destination.lacksSince(afterPos));
  }

  /** Whoever is concerned by what happened after the shards' positions is caught up from there. */
  async function scan(since: ReadonlyMap<number, number>, uptoPos: number): Promise<void> {
    let afterPos = Math.min(...since.values());
    while (afterPos < uptoPos) {
      // oxlint-disable-next-line no-await-in-loop
      const rows = await events.places(afterPos, uptoPos, placesPerPage);
      const places = rows.map(({ roomNid, ...place }) => ({ ...place, roomNids: [roomNid] }));
      // oxlint-disable-next-line no-await-in-loop
      await markAll(places, since);
      afterPos = rows.length === placesPerPage ? rows.at(-1)!.pos : uptoPos;
    }
    afterPos = Math.min(...since.values());
    while (afterPos < uptoPos) {
      // oxlint-disable-next-line no-await-in-loop
      const rows = await devices.changes(afterPos, uptoPos, placesPerPage);
      // oxlint-disable-next-line no-await-in-loop
      await markAll(
        rows.map(({ pos, roomNids }) => ({ pos, roomNids, memberId: null })),
        since,
      );
      afterPos = rows.length === placesPerPage ? rows.at(-1)!.pos : uptoPos;
    }
  }

  /** Reads what an earlier holder has left undone. */
  async function takeIn(numbers: readonly number[]): Promise<void> {
    await needs.ready;
    const [rows, positions, withMessages] = await Promise.all([
      store.behind(numbers),
      store.positions(numbers),
      needs.serversWithMessages(),
    ]);
    const uptoPos = needs.position();
    const storedPos = new Map(positions.map(({ shard, pos }) => [shard, pos]));
    const since = new Map<number, number>();
    for (const number of numbers) {
      const shard = shards.get(number);
      if (!shard) continue;
      shard.storedPos = storedPos.get(number) ?? 0;
      // Without a position nothing was ever sent, or the process did not live to write one down.
      shard.pos ??= shard.storedPos;
      since.set(number, shard.pos);
    }
    for (const row of rows) {
      if (!since.has(row.shard)) continue;
      const destination = destinations.of(row.serverName);
      if (destination.stored !== null) continue;
      destination.stored = stateOf(row);
      destinations.change(destination, () => destination.goOn(row.behind!));
    }
    for (const name of withMessages) {
      if (!since.has(shardOf(federationSenderRole, name))) continue;
      destinations.of(name).hasMessages = true;
    }
    if (since.size > 0) await scan(since, uptoPos);
    for (const number of since.keys()) {
      const shard = shards.get(number);
      if (shard) shard.isReady = true;
    }
    for (const destination of destinations.all()) {
      // Given away again while this was read.
      if (!shards.has(destination.shard)) destinations.remove(destination);
      else if (since.has(destination.shard)) dispatch.wake(destination);
    }
  }

  function go(): void {
    const waiting = [...shards].filter(([, { isReady }]) => !isReady).map(([number]) => number);
    if (running || isStopped || waiting.length === 0) return;
    running = takeIn(waiting)
      .catch(async (error: unknown) => {
        log.warn({ err: error }, 'what is to be sent could not be read; trying again');
        await pause();
      })
      .finally(() => {
        running = null;
        go();
      });
  }

  /** What is to be written of the servers and positions of shards. */
  function progressOf(wanted: ReadonlyMap<number, Shard>, isLast: boolean) {
    const changed: [Destination, DestinationProgress][] = [];
    const active = new Set<number>();
    const position = needs.position();
    const reached = new Map([...wanted.keys()].map((number) => [number, position]));
    for (const destination of destinations.all()) {
      const { name: serverName, shard } = destination;
      if (!wanted.has(shard)) continue;
      active.add(shard);
      const row = { serverName, shard, behind: destination.progress() };
      const firstPos = destination.queue[0]?.pos ?? 0;
      if (!row.behind && firstPos > 0) {
        reached.set(shard, Math.min(reached.get(shard)!, firstPos - 1));
      }
      destination.firstPosBefore = firstPos;
      if (stateOf(row) !== destination.stored) changed.push([destination, row]);
    }
    const moved = [...reached].filter(([shard, pos]) => {
      const step = isLast || active.has(shard) ? 1 : positionStep;
      return pos - wanted.get(shard)!.storedPos >= step;
    });
    return { changed, moved };
  }

  async function write(wanted: ReadonlyMap<number, Shard>, isLast: boolean): Promise<void> {
    const { changed, moved } = progressOf(wanted, isLast);
    if (changed.length + moved.length > 0) {
      const concerned = new Set([
        ...changed.map(([{ shard }]) => shard),
        ...moved.map(([shard]) => shard),
      ]);
      await store.save({
        destinations: changed.map(([, row]) => row),
        shards: moved.map(([shard, pos]) => ({ shard, pos })),
        fences: [...concerned].flatMap((number) => wanted.get(number)!.fence ?? []),
      });
      for (const [destination, row] of changed) destination.stored = stateOf(row);
      for (const [number, pos] of moved) {
        const shard = wanted.get(number)!;
        shard.storedPos = pos;
        shard.pos = pos;
      }
    }
    for (const destination of destinations.all()) {
      if (destination.hasWork() || destination.isRunning || destination.stored !== null) continue;
      if (ephemeral.dueTs(destination.name) === Infinity) destinations.remove(destination);
    }
  }

  /** One write at a time: each says how it is when it begins. */
  function save(wanted: () => ReadonlyMap<number, Shard>, isLast: boolean): Promise<void> {
    const next = (saving ?? Promise.resolve())
      .then(() => write(wanted(), isLast))
      .catch((error: unknown) => {
        log.warn({ err: error }, 'how far other servers are could not be written down');
      });
    saving = next;
    void next.finally(() => {
      if (saving === next) saving = null;
    });
    return next;
  }

  const readyShards = () =>
    new Map([...shards].filter(([, { isReady, isLeaving }]) => isReady && !isLeaving));
  const timer = setInterval(() => {
    if (!saving) void save(readyShards, false);
  }, saveMs).unref();

  /** Ends the work of shards, in a bounded time. */
  async function end(numbers: readonly number[]): Promise<void> {
    const leaving = new Map<number, Shard>();
    for (const number of numbers) {
      const shard = shards.get(number);
      if (!shard) continue;
      if (shard.isReady) leaving.set(number, shard);
      shard.isLeaving = true;
    }
    const own = () => [...destinations.all()].filter(({ shard }) => numbers.includes(shard));
    await dispatch.settle(own());
    await save(() => leaving, true);
    for (const destination of own()) destinations.remove(destination);
    for (const number of numbers) shards.delete(number);
  }

  return {
    taken(numbers, fences) {
      for (const number of numbers) {
        const fence = fences.find((one) => one.shard === number) ?? null;
        shards.set(number, {
          fence,
          pos: null,
          storedPos: 0,
          isReady: false,
          isLeaving: false,
        });
      }
      go();
    },
    released: end,
    holds: (number) => shards.get(number)?.isLeaving === false,
    maySend(number) {
      const shard = shards.get(number);
      return shard !== undefined && shard.isReady && !shard.isLeaving;
    },
    isActive: () => shards.size > 0,
    missed(afterPos) {
      for (const shard of shards.values()) {
        shard.pos = Math.min(shard.pos ?? afterPos, afterPos);
        shard.isReady = false;
      }
      go();
    },
    async stop() {
      isStopped = true;
      clearInterval(timer);
      await running;
      await end([...shards.keys()]);
    },
  };
}
