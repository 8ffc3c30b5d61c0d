import type { Pool, WorkerApp } from './apps.ts';
import { hashOf } from './rendezvous.ts';

export type UpstreamAddress = { host: string; port: number } | { socketPath: string };

/** A worker that requests can be passed to. */
export interface UpstreamOptions {
  /** Unique; the name of the worker. The same id keeps its keys when its address changes. */
  id: string;
  app: WorkerApp;
  address: UpstreamAddress;
  /** Where it takes links of routers: `host:port` or the path of a unix socket. Absent: nowhere. */
  link?: string | null;
  /** How much it takes compared with others; default 1. */
  weight?: number;
  /** `draining`: gets nothing new as long as there is another. */
  state: 'live' | 'draining';
  /** The traffic it is kept for; default: everything that no other worker is kept for. */
  pools?: readonly Pool[];
}

export interface HealthLimits {
  /** So long a new or returned worker gets less than its share: its caches are cold. */
  slowStartMs: number;
  /** Failures in a row after which nothing more is sent to a worker. */
  failuresMax: number;
  /** How long a worker is left alone first, and at most; doubles with each failed check. */
  ejectionMs: number;
  ejectionMaxMs: number;
}

export const defaultHealthLimits: HealthLimits = {
  slowStartMs: 20_000,
  failuresMax: 3,
  ejectionMs: 500,
  ejectionMaxMs: 10_000,
};

/** The share of its weight that a worker begins with. */
const firstShare = 0.1;

/** What is known about a worker that requests go to. Times are milliseconds of a steady clock. */
export class Upstream {
  readonly id: string;
  readonly address: UpstreamAddress;
  readonly hash: number;
  linkAddress: string | null;
  app: WorkerApp;
  weight: number;
  state: 'live' | 'draining';
  pools: readonly Pool[];
  /** Requests that are under way. */
  pending = 0;
  /** Gets nothing until a check succeeds. */
  isEjected = false;
  /** When to check it next, if it is ejected. */
  checkAtMs = 0;
  readonly #limits: HealthLimits;
  #failures = 0;
  #ejections = 0;
  /** Null: has had its whole share from the beginning. */
  #warmSinceMs: number | null;

  constructor(options: UpstreamOptions, limits: HealthLimits, warmSinceMs: number | null) {
    this.id = options.id;
    this.address = options.address;
    this.hash = hashOf(options.id);
    this.linkAddress = options.link ?? null;
    this.#limits = limits;
    this.#warmSinceMs = warmSinceMs;
    this.app = options.app;
    this.weight = options.weight ?? 1;
    this.state = options.state;
    this.pools = options.pools ?? ['default'];
  }

  update({ app, link = null, weight = 1, state, pools = ['default'] }: UpstreamOptions): void {
    Object.assign(this, { app, linkAddress: link, weight, state, pools });
  }

  /** Its weight now; less during the slow start. */
  weightAt(nowMs: number): number {
    if (this.#warmSinceMs === null) return this.weight;
    const share = firstShare + (nowMs - this.#warmSinceMs) / this.#limits.slowStartMs;
    if (share < 1) return this.weight * share;
    this.#warmSinceMs = null;
    return this.weight;
  }

  succeeded(): void {
    this.#failures = 0;
  }

  /**
   * It did not answer. `isGone`: it does not even take connections. True when it was ejected by
   * this.
   */
  failed(nowMs: number, isGone: boolean): boolean {
    this.#failures++;
    if (this.isEjected || !(isGone || this.#failures >= this.#limits.failuresMax)) return false;
    this.isEjected = true;
    this.#postpone(nowMs);
    return true;
  }

  /** A check of an ejected worker failed. */
  checkFailed(nowMs: number): void {
    this.#postpone(nowMs);
  }

  #postpone(nowMs: number): void {
    const { ejectionMs, ejectionMaxMs } = this.#limits;
    this.checkAtMs = nowMs + Math.min(ejectionMs * 2 ** this.#ejections, ejectionMaxMs);
    if (ejectionMs * 2 ** this.#ejections < ejectionMaxMs) this.#ejections++;
  }

  /** A check succeeded. True when it was ejected. */
  returned(nowMs: number): boolean {
    this.#failures = 0;
    this.#ejections = 0;
    if (!this.isEjected) return false;
    this.isEjected = false;
    this.#warmSinceMs = nowMs;
    return true;
  }
}
