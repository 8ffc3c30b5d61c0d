import type { WorkerRow } from '../cluster/store.ts';

/** A line of the table. */
export interface WorkerLine {
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

export function workerLine(worker: WorkerRow, held: ReadonlyMap<string, number>): WorkerLine {
  const stats = JSON.parse(worker.stats) as Stats;
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
export const withoutReplaced = (workers: readonly WorkerRow[]): WorkerRow[] => {
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

/** The processes as a table for people. */
export function renderTable(lines: readonly WorkerLine[]): string {
  const rows = [headings, ...lines.map(textsOf)];
  const widths = headings.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  const cell = (text: string, i: number) =>
    isFigure[i] ? text.padStart(widths[i]!) : text.padEnd(widths[i]!);
  return rows.map((row) => row.map(cell).join('  ').trimEnd()).join('\n');
}
