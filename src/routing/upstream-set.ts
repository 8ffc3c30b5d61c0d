import type { BalanceKey, TrafficGroup } from '../http/endpoint.ts';
import type { WorkerApp } from './apps.ts';
import type { Placement } from './classify.ts';
import { hashOf, scoreOf } from './rendezvous.ts';
import { defaultHealthLimits, Upstream } from './upstream.ts';
import type { HealthLimits, UpstreamAddress, UpstreamOptions } from './upstream.ts';

/** Names the worker that is best for a key, such as the holder of a room's lease; null: no matter. */
export type Prefer = (group: TrafficGroup, key: string, balance: BalanceKey) => string | null;

export interface UpstreamSetOptions {
  /** Milliseconds of a steady clock. */
  now: () => number;
  prefer?: Prefer;
  limits?: Partial<HealthLimits>;
}

const noneTried: ReadonlySet<Upstream> = new Set();

const sameAddress = (a: UpstreamAddress, b: UpstreamAddress) =>
  JSON.stringify(a) === JSON.stringify(b);

/** The workers that requests can go to, and the choice among them. */
export class UpstreamSet {
  readonly #options: UpstreamSetOptions;
  readonly #limits: HealthLimits;
  #byId = new Map<string, Upstream>();
  #byApp = new Map<WorkerApp, Upstream[]>();
  #turn = 0;

  constructor(options: UpstreamSetOptions) {
    this.#options = options;
    this.#limits = { ...defaultHealthLimits, ...options.limits };
  }

  get all(): Iterable<Upstream> {
    return this.#byId.values();
  }

  /**
   * Replaces all workers. What is known of those that stay is kept; those that are new start
   * slowly, unless there was none before. Gives those that are gone.
   */
  set(wanted: readonly UpstreamOptions[]): Upstream[] {
    const before = this.#byId;
    const warmSinceMs = before.size === 0 ? null : this.#options.now();
    this.#byId = new Map();
    this.#byApp = new Map();
    for (const options of wanted) {
      let upstream = before.get(options.id);
      if (upstream && sameAddress(upstream.address, options.address)) upstream.update(options);
      else upstream = new Upstream(options, this.#limits, warmSinceMs);
      this.#byId.set(options.id, upstream);
    }
    for (const upstream of this.#byId.values()) {
      const ofApp = this.#byApp.get(upstream.app);
      if (ofApp) ofApp.push(upstream);
      else this.#byApp.set(upstream.app, [upstream]);
    }
    return [...before.values()].filter((old) => this.#byId.get(old.id) !== old);
  }

  /**
   * The worker for a request that those of `tried` have not answered. Any worker can serve any
   * request, so the search widens: the best app's pool, the app, the next app, any worker at all,
   * then workers that are draining or ejected. Null when all are tried.
   */
  pick(placement: Placement, tried: ReadonlySet<Upstream> = noneTried): Upstream | null {
    const preferred = this.#preferred(placement);
    if (preferred && !tried.has(preferred)) return preferred;
    const now = this.#options.now();
    const usable = (one: Upstream) => one.state === 'live' && !one.isEjected && !tried.has(one);
    for (const app of placement.apps) {
      const ofApp = this.#byApp.get(app)?.filter(usable);
      if (!ofApp?.length) continue;
      const ofPool = ofApp.filter(({ pools }) => pools.includes(placement.pool));
      if (ofPool.length > 0) return this.#choose(ofPool, placement, now);
      const common = ofApp.filter(({ pools }) => pools.includes('default'));
      return this.#choose(common.length > 0 ? common : ofApp, placement, now);
    }
    const untried = [...this.#byId.values()].filter((one) => !tried.has(one));
    for (const fits of [usable, (one: Upstream) => !one.isEjected, () => true]) {
      const found = untried.filter(fits);
      if (found.length > 0) return this.#choose(found, placement, now);
    }
    return null;
  }

  #preferred({ group, key, balance }: Placement): Upstream | null {
    const { prefer } = this.#options;
    const id = prefer && key !== null ? prefer(group, key, balance) : null;
    const found = id === null ? undefined : this.#byId.get(id);
    return found && !found.isEjected && found.state === 'live' ? found : null;
  }

  #choose(among: readonly Upstream[], { key }: Placement, now: number): Upstream {
    if (among.length === 1) return among[0]!;
    return key === null ? this.#leastBusy(among, now) : byKey(among, key, now);
  }

  /** Of workers with as little to do each has its turn. */
  #leastBusy(among: readonly Upstream[], now: number): Upstream {
    const start = this.#turn++ % among.length;
    let best = among[start]!;
    let least = (best.pending + 1) / best.weightAt(now);
    for (let i = 1; i < among.length; i++) {
      const one = among[(start + i) % among.length]!;
      const load = (one.pending + 1) / one.weightAt(now);
      if (load < least) [best, least] = [one, load];
    }
    return best;
  }
}

function byKey(among: readonly Upstream[], key: string, now: number): Upstream {
  const keyHash = hashOf(key);
  let best = among[0]!;
  let highest = -1;
  for (const one of among) {
    const score = scoreOf(keyHash, one.hash, one.weightAt(now));
    if (score > highest) [best, highest] = [one, score];
  }
  return best;
}
