import type { Fence } from '../database/fence.ts';
import type { Log } from '../kernel/log.ts';
import { assignShards } from './assignment.ts';
import { HeldShards, type HeldShard } from './held-shards.ts';
import { declaredRoles, type Role } from './role.ts';
import type { ClusterStore, LeaseRow, WorkerRow } from './store.ts';

/** How often a process says that it lives, and looks at the others. */
const beatMs = 1_000;
/** After a word that something has changed, so that many words lead to one look. */
const nudgeMs = 10;

/** What a process tells of itself. */
export interface Self {
  instance: string;
  name: string;
  app: string;
  version: string;
  address: string | null;
  http: string | null;
  /** Whether it may hold a role: always, only when nobody else is there, or never. */
  willingness(role: string): 'first' | 'stand-in' | 'never';
  /** Figures for people, as JSON. */
  stats(): string;
}

export interface KeeperNeeds {
  self: Self;
  store: ClusterStore;
  log: Log;
  /** Tells the other processes to look now. */
  announce(): void;
  taken(role: string, fences: readonly Fence[]): void;
  released(role: string, shards: readonly number[]): Promise<void>;
  /** Told of the processes each time they have been looked at. */
  onLook(workers: readonly WorkerRow[]): void;
}

/** Keeps this process registered, and holding the shards that fall to it. */
export interface Keeper {
  /** Registers, and takes a first share. */
  start(): Promise<void>;
  readonly held: HeldShards;
  /** Who holds a shard, as far as is known here; null: nobody alive. */
  holderOf(role: string, shard: number): WorkerRow | null;
  /** The processes, as last seen. */
  workers(): readonly WorkerRow[];
  /** Looks at once. */
  nudge(): void;
  /** Resolves after the next look, or shortly. */
  changed(): Promise<void>;
  /** A write was refused: the lease is another's. */
  lost(held: HeldShard): void;
  /** Gives everything back and takes nothing more; the process stays registered. */
  drain(): Promise<void>;
  /** Unregisters. */
  stop(): Promise<void>;
}

/** Behind the name of a role that a process takes only when nobody else does. */
const standInMark = '~';

function candidatesOf({ name }: Role, able: readonly WorkerRow[]): WorkerRow[] {
  const first = able.filter((worker) => worker.roles.includes(name));
  if (first.length > 0) return first;
  return able.filter((worker) => worker.roles.includes(name + standInMark));
}

export function createKeeper(needs: KeeperNeeds): Keeper {
  const { self, store, log } = needs;
  const { instance } = self;
  const held = new HeldShards();
  let workers = new Map<string, WorkerRow>();
  let leases = new Map<string, LeaseRow>();
  let waiting: (() => void)[] = [];
  let timer: NodeJS.Timeout | null = null;
  let looking: Promise<void> | null = null;
  let isDraining = false;
  let isStarted = false;
  let isStopped = false;
  let isNudged = false;
  let assignedFor = '';
  let assigned = new Map<string, (string | null)[]>();

  const nameOf = (role: string, shard: number) => `${role} ${shard}`;
  const offered = () => declaredRoles().filter((role) => self.willingness(role.name) !== 'never');
  const offerOf = ({ name }: Role) =>
    self.willingness(name) === 'first' ? name : name + standInMark;

  const registration = () => ({
    instance,
    name: self.name,
    app: self.app,
    version: self.version,
    address: self.address,
    http: self.http,
    roles: offered().map(offerOf),
  });

  /** The holder wanted for each shard, by role. Thought out anew only when processes change. */
  function assignments(): Map<string, (string | null)[]> {
    const able = [...workers.values()].filter((worker) => worker.isAlive && !worker.isDraining);
    const key = able.map((worker) => `${worker.instance} ${worker.roles.join(' ')}`).join('\n');
    if (key !== assignedFor) {
      assignedFor = key;
      assigned = new Map(
        declaredRoles().map((role) => [role.name, assignShards(role, candidatesOf(role, able))]),
      );
    }
    return assigned;
  }

  function dropLost(): void {
    for (const shard of held.all()) {
      const { role, shard: number, epoch } = shard.fence;
      const lease = leases.get(nameOf(role, number));
      if (lease?.holder === instance && lease.epoch === epoch) continue;
      lose(shard);
    }
  }

  function lose(shard: HeldShard): void {
    const { role, shard: number } = shard.fence;
    held.remove(shard);
    log.info({ role, shard: number }, 'a lease is no longer held here');
    needs.released(role, [number]).catch((error: unknown) => {
      log.error({ err: error, role }, 'could not end the work of a lost lease cleanly');
    });
  }

  async function release(shards: readonly HeldShard[]): Promise<void> {
    if (shards.length === 0) return;
    const byRole = Map.groupBy(shards, (shard) => shard.fence.role);
    await Promise.all(shards.map((shard) => held.drain(shard)));
    await Promise.all(
      [...byRole].map(([role, own]) =>
        needs.released(
          role,
          own.map((shard) => shard.fence.shard),
        ),
      ),
    );
    // What took longer than that would be refused, with all that is written together with it.
    for (const { fence } of shards) fence.isOver = true;
    await store.giveBack(
      instance,
      shards.map((shard) => shard.fence),
    );
    for (const shard of shards) held.remove(shard);
    needs.announce();
  }

  async function take(role: Role, wanted: readonly number[]): Promise<void> {
    const rows = await store.take(instance, role.name, wanted);
    const fences = rows.map(({ role: name, shard, epoch }): Fence => ({
      holder: instance,
      role: name,
      shard,
      epoch,
      isOver: false,
    }));
    for (const row of rows) leases.set(nameOf(row.role, row.shard), row);
    for (const fence of fences) held.add(fence);
    if (rows.length === 0) return;
    needs.taken(role.name, fences);
    needs.announce();
  }

  function isFree(role: string, shard: number): boolean {
    const holder = leases.get(nameOf(role, shard))?.holder ?? null;
    if (holder === null) return true;
    if (holder === instance) return !held.knows(role, shard);
    return workers.get(holder)?.isAlive !== true;
  }

  /** Rows that name this process for shards that it knows nothing of, and should not. */
  function strayLeases(wanted: ReadonlyMap<string, (string | null)[]>): LeaseRow[] {
    return [...leases.values()].filter(
      ({ role, shard, holder }) =>
        holder === instance &&
        !held.knows(role, shard) &&
        (isDraining || wanted.get(role)?.[shard] !== instance),
    );
  }

  async function balance(): Promise<void> {
    const wanted = assignments();
    const stray = strayLeases(wanted);
    if (stray.length > 0) await store.giveBack(instance, stray);
    const leaving = held
      .all()
      .filter(
        ({ fence, isLeaving }) => !isLeaving && wanted.get(fence.role)?.[fence.shard] !== instance,
      );
    const releasing = release(leaving);
    if (!isDraining) {
      await Promise.all(
        offered().map(async (role) => {
          const shards = (wanted.get(role.name) ?? [])
            .map((holder, shard) => ({ holder, shard }))
            .filter(({ holder, shard }) => holder === instance && isFree(role.name, shard))
            .map(({ shard }) => shard);
          if (shards.length > 0) await take(role, shards);
        }),
      );
    }
    await releasing;
  }

  async function look(): Promise<void> {
    if (!(await store.beat(instance, isDraining, self.stats()))) {
      await store.register(registration());
    }
    const [workerRows, leaseRows] = await Promise.all([store.workers(), store.leases()]);
    workers = new Map(workerRows.map((row) => [row.instance, row]));
    leases = new Map(leaseRows.map((row) => [nameOf(row.role, row.shard), row]));
    needs.onLook(workerRows);
    dropLost();
    tellWaiting();
    await balance();
    tellWaiting();
  }

  function tellWaiting(): void {
    const told = waiting;
    waiting = [];
    for (const resolve of told) resolve();
  }

  /** Looks, once at a time: what was read must not be older than what was taken since. */
  function lookOnce(): Promise<void> {
    if (timer) clearTimeout(timer);
    isNudged = false;
    looking = look().finally(() => {
      looking = null;
      if (!isStopped) timer = setTimeout(run, isNudged ? nudgeMs : beatMs);
    });
    return looking;
  }

  function run(): void {
    if (looking || isStopped) return;
    lookOnce().catch((error: unknown) => {
      log.warn({ err: error }, 'could not see to the leases; trying again');
      tellWaiting();
    });
  }

  return {
    held,
    async start() {
      await store.addLeases(declaredRoles());
      await store.register(registration());
      await store.forgetDead();
      isStarted = true;
      await lookOnce();
      needs.announce();
    },
    holderOf(role, shard) {
      const holder = leases.get(nameOf(role, shard))?.holder ?? null;
      const worker = holder === null ? undefined : workers.get(holder);
      return worker?.isAlive ? worker : null;
    },
    workers: () => [...workers.values()],
    nudge() {
      if (isNudged || isStopped || !isStarted) return;
      isNudged = true;
      if (looking) return;
      if (timer) clearTimeout(timer);
      timer = setTimeout(run, nudgeMs);
    },
    changed: () => new Promise((resolve) => void waiting.push(resolve)),
    lost(shard) {
      if (!shard.isLeaving) lose(shard);
      this.nudge();
    },
    async drain() {
      isDraining = true;
      await looking?.catch(() => undefined);
      await store.beat(instance, true, self.stats());
      needs.announce();
      await release(held.all().filter((shard) => !shard.isLeaving));
    },
    async stop() {
      isStopped = true;
      if (timer) clearTimeout(timer);
      await looking?.catch(() => undefined);
      tellWaiting();
      await store.remove(instance);
      needs.announce();
    },
  };
}
