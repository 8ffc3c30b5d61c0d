import type { EndpointRow } from '../http/endpoint-table.ts';
import type { BalanceKey, Resource, TrafficGroup } from '../http/endpoint.ts';
import { appsOf, poolOf, type Pool, type RoutingSettings, type WorkerApp } from './apps.ts';
import { plannedRoutes, type PlannedRoute } from './planned-routes.ts';

/** One path with where its requests go. */
export interface RouteRow {
  /** Null: every method that no other row of the same path names. */
  method: string | null;
  /** With `:name` for a segment and `*` at the end for anything, also nothing. */
  path: string;
  group: TrafficGroup;
  /** The apps that take it: the first of which there is a worker. */
  apps: readonly WorkerApp[];
  pool: Pool;
  balance: BalanceKey;
  /** What a listener has to offer for it. */
  resource: Resource;
  /** The path has a transaction id, so that a PUT that is sent twice has the effect once. */
  hasTransaction: boolean;
  /** The endpoint that is declared for it; null when there is none yet. */
  operation: string | null;
  note: string;
}

const withTransaction = /:txnId\b|\/(send|redact)\*$|^\/_matrix\/federation\/v1\/send\//;

function resourceOf(path: string): Resource {
  if (path === '/health') return 'health';
  if (path.endsWith('/metrics')) return 'metrics';
  if (path.startsWith('/_synapse/admin/')) return 'admin';
  if (path.startsWith('/_matrix/media/')) return 'media';
  return /^\/_matrix\/(federation|key)\//.test(path) ? 'federation' : 'client';
}

type Placed = PlannedRoute & { resource: Resource };

/** Two paths with the same shape are the same route, whatever their parameters are called. */
export const shapeOf = (path: string): string => path.replace(/:\w+/g, ':');

/** Each process answers these for itself; they are in the table so that nobody passes them on. */
export const isOfProcess = ({ resource }: Pick<RouteRow, 'resource'>): boolean =>
  resource === 'metrics' || resource === 'health';

/**
 * The routing table: declared endpoints, and planned routes where none is declared. Ordered by
 * path and method.
 */
export function routeTable(
  declared: readonly EndpointRow[],
  settings: Pick<RoutingSettings, 'isPresenceEnabled'>,
  planned: readonly PlannedRoute[] = plannedRoutes,
): RouteRow[] {
  const rows = new Map<string, RouteRow>();
  const add = (placed: Placed, operation: string | null) => {
    const { method, path, group, balance, resource, note } = placed;
    const key = `${shapeOf(path)} ${method ?? ''}`;
    const [apps, pool] = [appsOf(group, settings), poolOf(group)];
    if (rows.has(key)) return;
    const hasTransaction = withTransaction.test(path);
    rows.set(key, {
      method,
      path,
      group,
      apps,
      pool,
      balance,
      resource,
      hasTransaction,
      operation,
      note,
    });
  };
  for (const row of declared) add({ ...row, note: '' }, row.operation);
  for (const row of planned) add({ ...row, resource: resourceOf(row.path) }, null);
  const ordered = [...rows].sort(([a], [b]) => (a < b ? -1 : 1));
  return ordered.map(([, row]) => row);
}
