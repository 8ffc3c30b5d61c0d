import type { Upstream } from '../routing/upstream.ts';
import { UpstreamConnection } from './upstream-connection.ts';

/** Shorter than workers keep idle connections (75 s), so that they do not close one that is in use. */
const idleMaxMs = 45_000;
/** Idle connections that are kept to one worker. */
const idleCountMax = 512;
/** All connections to one worker: below the number of ports to one address. */
const connectionsMax = 20_000;

/** Connections to one worker. */
class WorkerConnections {
  /** The one used last is last. */
  readonly idle: UpstreamConnection[] = [];
  readonly all = new Set<UpstreamConnection>();
  isGone = false;
}

/** Keeps connections to workers for the next request. */
export class ConnectionPool {
  readonly #now: () => number;
  readonly #workers = new Map<Upstream, WorkerConnections>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** A connection that nobody else uses; null when there are too many. */
  take(upstream: Upstream): UpstreamConnection | null {
    const kept = this.#workers.get(upstream) ?? this.#add(upstream);
    for (let used = kept.idle.pop(); used; used = kept.idle.pop()) {
      if (used.isOpen) return used;
      used.destroy();
    }
    if (kept.all.size >= connectionsMax) return null;
    const connection = new UpstreamConnection(
      upstream.address,
      (one) => this.#keep(kept, one),
      (one) => {
        kept.all.delete(one);
        const at = kept.idle.lastIndexOf(one);
        if (at !== -1) kept.idle.splice(at, 1);
        if (kept.isGone && kept.all.size === 0) this.#workers.delete(upstream);
      },
    );
    kept.all.add(connection);
    return connection;
  }

  #add(upstream: Upstream): WorkerConnections {
    const kept = new WorkerConnections();
    this.#workers.set(upstream, kept);
    return kept;
  }

  #keep(kept: WorkerConnections, connection: UpstreamConnection): void {
    if (kept.isGone || kept.idle.length >= idleCountMax) {
      connection.destroy();
      return;
    }
    connection.idleSinceMs = this.#now();
    kept.idle.push(connection);
  }

  /** Closes what has been idle for long; to be called every few seconds. */
  sweep(): void {
    const before = this.#now() - idleMaxMs;
    for (const { idle } of this.#workers.values()) {
      const fresh = idle.findIndex(({ idleSinceMs }) => idleSinceMs > before);
      const old = idle.splice(0, fresh === -1 ? idle.length : fresh);
      for (const connection of old) connection.destroy();
    }
  }

  /** The worker gets nothing more; what is under way may end. */
  forget(upstream: Upstream): void {
    const kept = this.#workers.get(upstream);
    if (!kept) return;
    kept.isGone = true;
    for (const connection of kept.idle.splice(0)) connection.destroy();
    if (kept.all.size === 0) this.#workers.delete(upstream);
  }

  close(): void {
    for (const { all } of this.#workers.values()) {
      for (const connection of all) connection.destroy();
    }
    this.#workers.clear();
  }
}
