import { tcpAddress } from '../../kernel/tcp-address.ts';
import type { BalanceKey } from '../../http/endpoint.ts';
import { appsOf, poolOf, type Pool, type RoutingSettings, type WorkerApp } from '../apps.ts';
import { isOfProcess, type RouteRow } from '../table.ts';
import type { UpstreamOptions } from '../upstream.ts';

/** What a proxy is to be configured for. */
export interface ProxySubject {
  rows: readonly RouteRow[];
  settings: RoutingSettings;
  upstreams: readonly UpstreamOptions[];
  /** Where the proxy listens. */
  port: number;
  serverName: string;
  /** Largest request body, in bytes. */
  bodyBytesMax: number;
}

/** Workers that share a kind of requests. */
export interface Target {
  /** Of letters, digits and `_`. */
  name: string;
  balance: BalanceKey;
  servers: readonly UpstreamOptions[];
}

/** Requests that go the same way. */
export interface TrafficClass {
  name: string;
  target: Target;
  /** For requests without a position, for `/sync`; else null. */
  first: Target | null;
  /** For requests of heavy bridges, where these have a pool; else null. */
  bridges: Target | null;
}

/** Paths that belong to a class; the first rule that fits counts. */
export interface Rule {
  /** Null: all. */
  method: string | null;
  /** A regular expression for the raw path without the query; not anchored. */
  pattern: string;
  class: TrafficClass;
}

export interface ProxyPlan {
  rules: Rule[];
  classes: TrafficClass[];
  targets: Target[];
  /** For everything else. */
  fallback: Target;
  /** Paths that are nobody's business outside, as patterns like those of rules. */
  hidden: string[];
}

/** The place of a segment among others: the more exact one comes first. */
function rankOf(segment: string): number {
  if (segment === '*') return 3;
  if (segment.startsWith(':')) return 2;
  return segment.endsWith('*') ? 1 : 0;
}

/** Orders paths so that the first that fits is the one that the classifier would find. */
function byExactness(a: string, b: string): number {
  const [left, right] = [a.split('/'), b.split('/')];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const [one, other] = [left[i], right[i]];
    if (one === undefined || other === undefined) return one === undefined ? 1 : -1;
    const rank = rankOf(one) - rankOf(other);
    if (rank !== 0) return rank;
    if (rankOf(one) !== 2 && one !== other) return one < other ? -1 : 1;
  }
  return 0;
}

const clientPath = /^\/_matrix\/client\/(api\/v1|v2_alpha|unstable|r0|v\d+)(\/.*)$/;

/** Text as a regular expression for itself. */
export const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

function patternOf(path: string): string {
  const isPrefix = path.endsWith('*');
  const segments = (isPrefix ? path.slice(0, -1) : path).split('/');
  const parts = segments.map((one, i) => {
    if (one.startsWith(':')) return i === segments.length - 1 ? '[^/]*' : '[^/]+';
    return escaped(one);
  });
  return parts.join('/') + (isPrefix ? '' : '/?$');
}

/** A rule's pattern for the raw path with the query behind it. */
export function withQuery({ pattern }: Rule): string {
  const path = pattern.replaceAll('[^/]', '[^/?]');
  return path.endsWith('$') ? `${path.slice(0, -1)}(?:\\?|$)` : path;
}

/** Paths of all prefixes in one pattern. */
function joined(paths: readonly string[]): string[] {
  const bySuffix = new Map<string, string[]>();
  for (const path of paths) {
    const [, prefix, suffix] = clientPath.exec(path) ?? [];
    const key = suffix ?? path;
    bySuffix.set(key, [...(bySuffix.get(key) ?? []), ...(prefix ? [prefix] : [])]);
  }
  return [...bySuffix].map(([suffix, prefixes]) =>
    prefixes.length === 0
      ? patternOf(suffix)
      : `/_matrix/client/(?:${prefixes.sort().join('|')})${patternOf(suffix)}`,
  );
}

/** Targets and classes, each made once. */
class Traffic {
  readonly targets = new Map<string, Target>();
  readonly classes = new Map<string, TrafficClass>();
  readonly #subject: ProxySubject;
  readonly #hasBridges: boolean;

  constructor(subject: ProxySubject) {
    this.#subject = subject;
    this.#hasBridges = subject.upstreams.some(({ pools }) => pools?.includes('bridges'));
  }

  targetOf(apps: readonly WorkerApp[], pool: Pool, balance: BalanceKey): Target {
    const { upstreams } = this.#subject;
    const app = apps.find((one) => upstreams.some((upstream) => upstream.app === one));
    const ofApp = app ? upstreams.filter((one) => one.app === app) : upstreams;
    const inPool = (wanted: Pool) =>
      ofApp.filter(({ pools = ['default'] }) => pools.includes(wanted));
    const own = pool === 'default' ? [] : inPool(pool);
    const common = inPool('default');
    const servers = own.length > 0 ? own : common.length > 0 ? common : ofApp;
    const ofPool = own.length > 0 ? `_${pool}` : '';
    const name = `${app ?? 'all'}${ofPool}${balance === 'none' ? '' : `_by_${balance}`}`;
    const found = this.targets.get(name) ?? { name, balance, servers };
    this.targets.set(name, found);
    return found;
  }

  classOf({ group, apps, pool, balance, path }: RouteRow): TrafficClass {
    const target = this.targetOf(apps, pool, balance);
    const isSync = group === 'sync' && path.endsWith('/sync');
    const initial = appsOf('initial_sync', this.#subject.settings);
    const first = isSync ? this.targetOf(initial, poolOf('initial_sync'), balance) : null;
    const hasBridges = this.#hasBridges && apps[0] === 'generic_worker';
    const bridges = hasBridges ? this.targetOf(apps, 'bridges', balance) : null;
    const name = isSync ? `${target.name}_sync` : target.name;
    const found = this.classes.get(name) ?? { name, target, first, bridges };
    this.classes.set(name, found);
    return found;
  }
}

/** Paths of one class that differ in their prefix only. */
interface Line {
  method: string | null;
  class: TrafficClass;
  paths: string[];
  /** The path without the prefix. */
  suffix: string;
}

function linesOf(rows: readonly RouteRow[], traffic: Traffic): Line[] {
  const byPath = Map.groupBy(rows, ({ path }) => path.replace(/:\w+/g, ':x'));
  const lines = new Map<string, Line>();
  for (const path of [...byPath.keys()].sort(byExactness)) {
    const ofPath = byPath.get(path)!.map((row) => ({ row, class: traffic.classOf(row) }));
    const isUniform = ofPath.every((one) => one.class === ofPath[0]!.class);
    const wanted = isUniform ? ofPath.slice(0, 1) : ofPath.sort(methodsFirst);
    for (const [i, { row, class: found }] of wanted.entries()) {
      const method = i === wanted.length - 1 ? null : row.method;
      const suffix = clientPath.exec(path)?.[2] ?? path;
      const key = `${suffix} ${method ?? ''} ${found.name}`;
      const line = lines.get(key) ?? { method, class: found, paths: [], suffix };
      line.paths.push(path);
      lines.set(key, line);
    }
  }
  return [...lines.values()];
}

/** What the generators of proxy configurations work from. */
export function planProxy(subject: ProxySubject): ProxyPlan {
  const traffic = new Traffic(subject);
  const rows = subject.rows.filter((row) => !isOfProcess(row));
  const rules = linesOf(rows, traffic)
    .sort((a, b) => byExactness(a.suffix, b.suffix) || Number(!a.method) - Number(!b.method))
    .flatMap((line) =>
      joined(line.paths).map((pattern) => ({ method: line.method, pattern, class: line.class })),
    );
  const fallback = traffic.targetOf(appsOf('main', subject.settings), 'default', 'none');
  const [classes, targets] = [[...traffic.classes.values()], [...traffic.targets.values()]];
  const ofMetrics = subject.rows.filter(({ resource }) => resource === 'metrics');
  const hidden = [...new Set(ofMetrics.map(({ path }) => patternOf(path)))];
  return { rules, classes, targets, fallback, hidden };
}

/** Rows for one method come before those for all others. */
const methodsFirst = (a: { row: RouteRow }, b: { row: RouteRow }) =>
  Number(a.row.method === null) - Number(b.row.method === null);

/** `host:port`, or the path of a socket after `unix:`. */
export function addressText({ address }: UpstreamOptions): string {
  if ('socketPath' in address) return `unix:${address.socketPath}`;
  return tcpAddress(address.host, address.port);
}
