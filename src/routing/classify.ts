import type { IncomingHttpHeaders } from 'node:http';
import FindMyWay from 'find-my-way';
import type { BalanceKey, Resource, TrafficGroup } from '../http/endpoint.ts';
import { appsOf, type Pool, type RoutingSettings, type WorkerApp } from './apps.ts';
import { originOf, queryValue, tokenOf, userKeyOf } from './keys.ts';
import { shapeOf, type RouteRow } from './table.ts';

/** Where a request belongs. */
export interface Placement {
  group: TrafficGroup;
  /** The app that takes it when it has a worker; the first of `apps`. */
  app: WorkerApp;
  /** In the order in which they are tried. */
  apps: readonly WorkerApp[];
  pool: Pool;
  balance: BalanceKey;
  /** Requests with the same key go to the same worker; null: to the one that has least to do. */
  key: string | null;
  /** What a listener has to offer for it; null: no endpoint is known. */
  resource: Resource | null;
  /** Sending it twice has the effect once. */
  isRepeatable: boolean;
}

export type Classify = (
  method: string,
  /** Path with query, as received. */
  url: string,
  headers: IncomingHttpHeaders,
  /** The client's, for servers that do not say who they are. */
  remoteAddress?: string,
) => Placement;

/** The rows of one path. */
interface Methods {
  byName: Map<string, RouteRow>;
  any: RouteRow | null;
}

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Longest path segment that is looked at, in characters, as in the server. */
const segmentMax = 2048;
const unused = () => undefined;

/** Apps of which every worker serves all kinds of clients' traffic; only theirs has pools. */
const pooledApp: WorkerApp = 'generic_worker';

/** A request without these is the first of a session: `/sync`, and sliding sync. */
const positionParameters = ['since', 'pos'] as const;

function compile(rows: readonly RouteRow[]) {
  const router = FindMyWay({ maxParamLength: segmentMax, ignoreTrailingSlash: true });
  const byShape = new Map<string, Methods>();
  for (const row of rows) {
    const shape = shapeOf(row.path);
    let methods = byShape.get(shape);
    if (!methods) {
      byShape.set(shape, (methods = { byName: new Map(), any: null }));
      router.on('GET', row.path.replace(/:\w+/, ':first'), unused, methods);
    }
    if (row.method === null) methods.any = row;
    else methods.byName.set(row.method, row);
  }
  return router;
}

/** The row for methods that have none of their own: CORS and `HEAD` ask about others' rows. */
function rowFor({ byName, any }: Methods, method: string): RouteRow | null {
  const own = byName.get(method === 'HEAD' ? 'GET' : method) ?? any;
  if (own) return own;
  for (const row of byName.values()) return row;
  return null;
}

/** Compiles a routing table. */
export function createClassifier(rows: readonly RouteRow[], settings: RoutingSettings): Classify {
  const router = compile(rows);
  const { tokens, userAgents } = settings.bridges;
  const [mainApps, initialApps] = [appsOf('main'), appsOf('initial_sync')];
  const elsewhere: Placement = {
    group: 'main',
    app: mainApps[0]!,
    apps: mainApps,
    pool: 'default',
    balance: 'none',
    key: null,
    resource: null,
    isRepeatable: false,
  };

  function isBridge(token: string | null, userAgent: string | undefined): boolean {
    if (token !== null && tokens.has(token)) return true;
    return userAgent !== undefined && userAgents.some((part) => userAgent.includes(part));
  }
  const knowsBridges = tokens.size > 0 || userAgents.length > 0;

  return (method, url, headers, remoteAddress) => {
    const mark = url.indexOf('?');
    const found = router.find('GET', mark === -1 ? url : url.slice(0, mark));
    if (!found) return elsewhere;
    const row = rowFor(found.store as Methods, method);
    if (!row) return elsewhere;
    let { group, apps, pool, balance } = row;
    const isFirst =
      group === 'sync' &&
      row.path.endsWith('/sync') &&
      (mark === -1 || positionParameters.every((name) => queryValue(url, mark, name) === null));
    if (isFirst) [group, apps, pool] = ['initial_sync', initialApps, 'initial_sync'];
    const token = balance === 'user' || knowsBridges ? tokenOf(url, mark, headers) : null;
    if (knowsBridges && apps[0] === pooledApp && isBridge(token, headers['user-agent'])) {
      pool = 'bridges';
    }
    let key: string | null = null;
    if (balance === 'room') key = (found.params as { first?: string }).first ?? null;
    else if (balance === 'user') key = userKeyOf(url, mark, token);
    else if (balance === 'origin') key = originOf(headers) ?? remoteAddress ?? null;
    const isRepeatable = safeMethods.has(method) || (method === 'PUT' && row.hasTransaction);
    const { resource } = row;
    return { group, app: apps[0]!, apps, pool, balance, key, resource, isRepeatable };
  };
}
