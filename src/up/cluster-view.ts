import { shardOf } from '../cluster/role.ts';
import { createClusterStore, type LeaseRow, type WorkerRow } from '../cluster/store.ts';
import type { Database } from '../database/database.ts';
import type { Log } from '../kernel/log.ts';
import { eventWriterRole } from '../rooms/module.ts';
import { decoded } from '../routing/keys.ts';
import type { Prefer } from '../routing/upstream-set.ts';

/** Who does what in a set of processes, read every so often. */
export interface ClusterView {
  workers(): readonly WorkerRow[];
  leases(): readonly LeaseRow[];
  /** The name of the process that writes a room, for requests about it. */
  prefer: Prefer;
  /** Reads at once. */
  refresh(): Promise<void>;
  close(): void;
}

const refreshMs = 500;

/**
 * `readsFollowWrites`: what reads a room goes to the process that writes it, too, where it finds what
 * was written a moment ago. To be left out where writers are to do nothing else.
 */
export function createClusterView(
  database: Database,
  log: Log,
  { readsFollowWrites }: { readsFollowWrites: boolean },
): ClusterView {
  const store = createClusterStore(database);
  let workers: readonly WorkerRow[] = [];
  let leases: readonly LeaseRow[] = [];
  let writers: (string | null)[] = [];

  async function refresh(): Promise<void> {
    [workers, leases] = await Promise.all([store.workers(), store.leases()]);
    const names = new Map(
      workers.filter(({ isAlive }) => isAlive).map(({ instance, name }) => [instance, name]),
    );
    const next: (string | null)[] = [];
    for (const { role, shard, holder } of leases) {
      if (role === eventWriterRole.name) next[shard] = (holder && names.get(holder)) ?? null;
    }
    writers = next;
  }

  const timer = setInterval(() => {
    refresh().catch((error: unknown) => log.debug({ err: error }, 'could not read who does what'));
  }, refreshMs).unref();

  return {
    workers: () => workers,
    leases: () => leases,
    prefer(group, key, balance) {
      const isForWriter = balance === 'room' && (readsFollowWrites || group === 'event_sending');
      return isForWriter ? (writers[shardOf(eventWriterRole, decoded(key))] ?? null) : null;
    },
    refresh,
    close: () => clearInterval(timer),
  };
}
