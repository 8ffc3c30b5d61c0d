import { isOfProcess } from '../table.ts';
import { addressText, type ProxySubject } from './plan.ts';

const routed = (rows: ProxySubject['rows']) => rows.filter((row) => !isOfProcess(row));

/** The routing table as text in columns. */
export function routesText({ rows, upstreams }: ProxySubject): string {
  const head = ['METHOD', 'PATH', 'GROUP', 'APP', 'TOGETHER BY', 'ENDPOINT'];
  const lines = routed(rows).map(({ method, path, group, apps, balance, operation, note }) => [
    method ?? 'any',
    path,
    group,
    apps[0]!,
    balance === 'none' ? '–' : balance,
    operation ?? (note || 'by pattern'),
  ]);
  const workers = upstreams.map((one) => [
    one.id,
    one.app,
    addressText(one),
    one.state,
    (one.pools ?? ['default']).join(),
  ]);
  const head2 = ['WORKER', 'APP', 'ADDRESS', 'STATE', 'POOL'];
  return `${columns([head, ...lines])}\n${columns([head2, ...workers])}`;
}

function columns(lines: readonly string[][]): string {
  const widths = lines[0]!.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, i) => cell.padEnd(widths[i]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

/** The same for programs. */
export function routesJson({ rows, upstreams }: ProxySubject): string {
  return `${JSON.stringify({ routes: routed(rows), workers: upstreams }, null, 2)}\n`;
}
