import { boundedCache } from '../kernel/bounded-cache.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Bus } from '../streams/bus.ts';
import type { RetentionStore } from './store/retention.ts';
import { eventStream, removedRoomStream, type EventRow } from './streams.ts';
import type { Visibility } from './visibility.ts';

/** Rooms whose lifetime is remembered; about 100 bytes each. */
const cachedRoomsMax = 100_000;
const retentionType = 'm.room.retention';

/** By room: what was sent before that time, in milliseconds since 1970, is no longer shown. */
export type ShownSince = ReadonlyMap<number, number>;

/** How long messages of rooms are shown (MSC1763; as in Synapse, "Message retention policies"). */
export interface Retention {
  /** Of those of the rooms that have a lifetime. At most one query, none when all are remembered. */
  shownSince(roomNids: readonly number[]): Promise<ShownSince> | ShownSince;
}

/** The same visibility without what is too old; state is always shown. */
export const withoutExpired = (visibility: Visibility, sinceTs: number | undefined): Visibility =>
  sinceTs === undefined
    ? visibility
    : {
        ...visibility,
        allows: (event) => !isExpired(event, sinceTs) && visibility.allows(event),
      };

export const isExpired = (
  { stateKey, originServerTs }: { stateKey: string | null; originServerTs: number },
  sinceTs: number,
): boolean => stateKey === null && originServerTs < sinceTs;

/** `max_lifetime` of a policy, in milliseconds; null where it says nothing of use. */
function lifetimeIn(content: string): number | null {
  const { max_lifetime: lifetime } = JSON.parse(content) as { max_lifetime?: unknown };
  return typeof lifetime === 'number' && lifetime > 0 ? lifetime : null;
}

const changesPolicy = ({ event, changed, redacted }: EventRow): boolean =>
  (changed === null ? event.type === retentionType : changed.some(([t]) => t === retentionType)) ||
  redacted?.type === retentionType;

const none: ShownSince = new Map();

export interface RetentionNeeds {
  /** Of rooms without a policy, in milliseconds, or null; all null: policies have no effect. */
  config: { defaultMs: number | null } | null;
  store: RetentionStore;
  bus: Bus;
  clock: Clock;
}

export function createRetention({ config, store, bus, clock }: RetentionNeeds): Retention {
  if (config === null) return { shownSince: () => none };
  const lifetimes = boundedCache<number, { ms: number | null }>(cachedRoomsMax);
  let changes = 0;

  function forget(roomNid: number): void {
    changes++;
    lifetimes.delete(roomNid);
  }
  bus.subscribe(eventStream, (rows) => {
    for (const { row } of rows) if (changesPolicy(row)) forget(row.event.roomNid);
  });
  bus.subscribe(removedRoomStream, (rows) => {
    for (const { row } of rows) forget(row.roomNid);
  });

  function sinceOf(found: ReadonlyMap<number, number | null>): ShownSince {
    const now = clock.now();
    return new Map([...found].flatMap(([nid, ms]) => (ms === null ? [] : [[nid, now - ms]])));
  }

  async function load(roomNids: readonly number[]): Promise<Map<number, number | null>> {
    const before = changes;
    const found = new Map(roomNids.map((nid) => [nid, config!.defaultMs]));
    for (const { roomNid, content } of await store.policies([...roomNids])) {
      found.set(roomNid, lifetimeIn(content) ?? config!.defaultMs);
    }
    // What has changed meanwhile may be missing.
    if (before === changes) for (const [nid, ms] of found) lifetimes.set(nid, { ms });
    return found;
  }

  return {
    shownSince(roomNids) {
      const known = new Map<number, number | null>();
      const missing: number[] = [];
      for (const nid of roomNids) {
        const lifetime = lifetimes.get(nid);
        if (lifetime) known.set(nid, lifetime.ms);
        else missing.push(nid);
      }
      if (missing.length === 0) return sinceOf(known);
      return load(missing).then((found) => sinceOf(new Map([...known, ...found])));
    },
  };
}
