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

/** Longest text of roles that is shown. */
const rolesWidthMax = 60;

export function workerLine(worker: WorkerRow, held: ReadonlyMap<string, number>): WorkerLine {
  const stats = JSON.parse(worker.stats) as Stats;
  const roles = [...held]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([role, shards]) => (shards > 1 ? `${role}×${shards}` : role));
  const text = roles.join(' ') || '–';
  const state = worker.isDraining ? 'draining' : worker.isAlive ? 'live' : 'dead';
  return {
    name: worker.name,
    state,
    roles: text.length > rolesWidthMax ? `${text.slice(0, rolesWidthMax - 1)}…` : text,
    requests: stats.requests ?? 0,
    cpu: stats.cpu ?? 0,
    memory: stats.memory ?? 0,
    lag: stats.lag ?? 0,
  };
}

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
