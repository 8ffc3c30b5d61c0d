import type { LeaseRow, WorkerRow } from '../cluster/store.ts';

/** A line of the table. */
interface WorkerLine {
  name: string;
  state: string;
  /** Roles held, with the number of shards. */
  roles: string;
  requests: number;
  cpu: number;
  memory: number;
  lag: number;
}

interface Stats {
  requests?: number;
  cpu?: number;
  memory?: number;
  lag?: number;
}

/** Shards by role that a process holds. */
function heldBy({ instance }: WorkerRow, leases: readonly LeaseRow[]): Map<string, number> {
  const held = new Map<string, number>();
  for (const { role, holder } of leases) {
    if (holder === instance) held.set(role, (held.get(role) ?? 0) + 1);
  }
  return held;
}

function workerLine(worker: WorkerRow, leases: readonly LeaseRow[]): WorkerLine {
  const stats = JSON.parse(worker.stats) as Stats;
  const held = heldBy(worker, leases);
  const roles = [...held]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([role, shards]) => (shards > 1 ? `${role}×${shards}` : role));
  const state = worker.isDraining ? 'draining' : worker.isAlive ? 'live' : 'dead';
  return {
    name: worker.name,
    state,
    roles: roles.join(' ') || '–',
    requests: stats.requests ?? 0,
    cpu: stats.cpu ?? 0,
    memory: stats.memory ?? 0,
    lag: stats.lag ?? 0,
  };
}

/** Without those that died and have a successor of their name. */
const withoutReplaced = (workers: readonly WorkerRow[]): WorkerRow[] => {
  const living = new Set(workers.filter(({ isAlive }) => isAlive).map(({ name }) => name));
  return workers.filter(({ isAlive, name }) => isAlive || !living.has(name));
};

const headings: WorkerLineText = ['worker', 'state', 'req/s', 'cpu %', 'MB', 'lag', 'roles'];
type WorkerLineText = readonly [string, string, string, string, string, string, string];

const textsOf = (line: WorkerLine): WorkerLineText => [
  line.name,
  line.state,
  String(line.requests),
  String(line.cpu),
  String(line.memory),
  String(line.lag),
  line.roles,
];
/** Columns of figures are aligned to the right. */
const isFigure = [false, false, true, true, true, true, false];

/** The processes, and what they hold, as a table for people. */
export function clusterTable(workers: readonly WorkerRow[], leases: readonly LeaseRow[]): string {
  const lines = withoutReplaced(workers).map((worker) => workerLine(worker, leases));
  const rows = [headings, ...lines.map(textsOf)];
  const widths = headings.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  const cell = (text: string, i: number) =>
    isFigure[i] ? text.padStart(widths[i]!) : text.padEnd(widths[i]!);
  return rows.map((row) => row.map(cell).join('  ').trimEnd()).join('\n');
}
