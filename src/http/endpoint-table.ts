import type { Auth, BalanceKey, Endpoint, RateLimitClass, Resource } from './endpoint.ts';
import type { TrafficGroup } from './endpoint.ts';

/** One path of an endpoint, with what documentation and routing need to know. */
export interface EndpointRow {
  operation: string;
  method: Endpoint['method'];
  /** With `:name` for parameters. */
  path: string;
  /** The same as a regular expression for proxies, anchored at both ends. */
  pattern: string;
  auth: Auth;
  rateLimit: RateLimitClass;
  resource: Resource;
  group: TrafficGroup;
  balance: BalanceKey;
  summary: string;
  source: string;
  /** Deprecated, or an older form of another path of the same operation. */
  isOld: boolean;
}

const patternOf = (path: string) =>
  `^${path.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/:\w+/g, '[^/]+')}$`;

/** All endpoints, a row for each path, ordered by path and method. */
export function endpointTable(endpoints: readonly Endpoint[]): EndpointRow[] {
  const rows = endpoints.flatMap((endpoint) =>
    endpoint.paths.map((path, i) => ({
      operation: endpoint.operation,
      method: endpoint.method,
      path,
      pattern: patternOf(path),
      auth: endpoint.auth,
      rateLimit: endpoint.rateLimit,
      resource: endpoint.resource,
      ...endpoint.runsOn,
      summary: endpoint.summary,
      source: endpoint.source,
      isOld: endpoint.deprecated || i > 0,
    })),
  );
  const keyOf = ({ path, method }: EndpointRow) => `${path} ${method}`;
  return rows.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}
