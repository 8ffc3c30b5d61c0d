import { Resolver } from 'node:dns/promises';
import type { SrvRecord } from 'node:dns';
import { boundedCache } from '../kernel/bounded-cache.ts';
import type { Clock } from '../kernel/clock.ts';

/** The SRV records of a name; rejects with the code of `node:dns` when there are none. */
export type ResolveSrv = (name: string) => Promise<SrvRecord[]>;

/** Where a service is. */
export interface Service {
  host: string;
  port: number;
}

/** Finds services by SRV records (RFC 2782). */
export interface ServiceRecords {
  /**
   * Where the service of this name is, in the order of trying. Empty: the domain says that it has no
   * such service; null: it says nothing of it.
   */
  find(name: string): Promise<Service[] | null>;
}

const queryMsMax = 2_000;
const queryTries = 2;
/** `node:dns` does not tell how long SRV records are good. */
const keptMs = 5 * 60_000;
const namesMax = 10_000;
/** More of them are not tried. */
const recordsMax = 8;
/** Those with the lowest priorities are remembered: an answer may bring a thousand. */
const recordsKeptMax = 32;
const hostname = /^[0-9A-Za-z._-]{1,253}$/;

/** As the system's name servers say. */
export function systemResolveSrv(): ResolveSrv {
  const resolver = new Resolver({ timeout: queryMsMax, tries: queryTries });
  return (name) => resolver.resolveSrv(name);
}

/** Those of one priority, each coming first with a chance in proportion to its weight. */
function byWeight(records: readonly SrvRecord[], random: () => number): SrvRecord[] {
  const left = [...records];
  const ordered: SrvRecord[] = [];
  while (left.length > 0) {
    const total = left.reduce((sum, { weight }) => sum + weight, 0);
    let at = random() * total;
    const next = left.findIndex(({ weight }) => (at -= weight) < 0);
    ordered.push(...left.splice(Math.max(0, next), 1));
  }
  return ordered;
}

/** The order in which records are to be tried. */
export function inOrder(records: readonly SrvRecord[], random: () => number): Service[] {
  const priorities = Map.groupBy(records, ({ priority }) => priority);
  return [...priorities.keys()]
    .toSorted((a, b) => a - b)
    .flatMap((priority) => byWeight(priorities.get(priority)!, random))
    .map(({ name, port }) => ({ host: name.replace(/\.$/, ''), port }))
    .filter(({ host, port }) => hostname.test(host) && port > 0)
    .slice(0, recordsMax);
}

export function createServiceRecords(
  resolveSrv: ResolveSrv,
  clock: Clock,
  random: () => number = Math.random,
): ServiceRecords {
  const known = boundedCache<string, { records: SrvRecord[]; untilTs: number }>(namesMax);

  async function recordsOf(name: string): Promise<SrvRecord[]> {
    const before = known.get(name);
    if (before && before.untilTs > clock.now()) return before.records;
    try {
      const found = await resolveSrv(name);
      const records = found.toSorted((a, b) => a.priority - b.priority).slice(0, recordsKeptMax);
      known.set(name, { records, untilTs: clock.now() + keptMs });
      return records;
    } catch (error) {
      // Where no name server answers, the hosts file may still know the server; certificates decide.
      const { code } = error as { code?: unknown };
      if (code === 'ENOTFOUND' || code === 'ENODATA') {
        known.set(name, { records: [], untilTs: clock.now() + keptMs });
      }
      return [];
    }
  }

  return {
    async find(name) {
      const records = await recordsOf(name);
      return records.length === 0 ? null : inOrder(records, random);
    },
  };
}
