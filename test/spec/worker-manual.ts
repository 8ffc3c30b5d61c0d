import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { declaredRows } from '../../src/apps/declared-rows.ts';
import { defaultRoutingSettings } from '../../src/routing/apps.ts';
import { createClassifier } from '../../src/routing/classify.ts';
import { routeTable } from '../../src/routing/table.ts';

/** Synapse's worker manual in machine-readable form; see `read`. */
export interface WorkerManual {
  apps: Record<string, ManualApp>;
  settings: Record<string, { limitations?: Limitation[] }>;
}

export interface ManualApp {
  endpoints: ManualEndpoint[];
  load_balancing: { groups?: string[]; rule: string }[];
  limitations: Limitation[];
}

export interface ManualEndpoint {
  regex: string;
  group: string;
  condition?: { kind: string; methods?: string[]; setting?: { use_presence: boolean } };
}

interface Limitation {
  id: string;
  text: string;
}

const path = join(import.meta.dirname, '../../../shared/spec/seed-workers.json');

/** Why tests that need the manual are skipped; false when it is at hand. */
export const skip = existsSync(path) ? false : 'the worker manual is not at hand';

export const readManual = (): WorkerManual =>
  JSON.parse(readFileSync(path, 'utf8')) as WorkerManual;

/** Every choice of `(a|b)` in a pattern. */
function choices(pattern: string): string[] {
  const found = /\(([^()]+)\)/.exec(pattern);
  if (!found) return [pattern];
  const [whole, inside] = [found[0], found[1]!];
  return inside.split('|').flatMap((one) => choices(pattern.replace(whole, one)));
}

/** Paths that a pattern takes. */
export function samplesOf(regex: string): string[] {
  const isPrefix = !regex.endsWith('$');
  return choices(regex.replace(/^\^/, '').replace(/\$$/, '')).flatMap((choice) => {
    const url = choice.replace(/\.\*|\[\^\/\]\+/g, '!room%3Aexample.org');
    if (!isPrefix) return [url];
    return url.endsWith('/') ? [`${url}x`, `${url}x/y`] : [url, `${url}/x`, `${url}/x/y`];
  });
}

const shownMax = 3;

/** The table of patterns in `docs/workers.md`: what takes them, and which endpoints answer. */
export function patternTable(manual: WorkerManual): string {
  const declared = declaredRows();
  const settings = defaultRoutingSettings;
  const table = routeTable(declared, settings);
  const classify = createClassifier(table, settings);
  const noted = new Map(table.filter(({ note }) => note).map(({ path: at, note }) => [at, note]));
  const lines = Object.entries(manual.apps).flatMap(([app, { endpoints }]) =>
    endpoints.map(({ regex, condition }) => {
      const pattern = new RegExp(regex);
      const operations = new Set(
        declared
          .filter((row) => pattern.test(row.path.replace(/:\w+/g, 'x')))
          .map(({ operation }) => operation),
      );
      const [sample = ''] = samplesOf(regex);
      const { balance } = classify(condition?.methods?.[0] ?? 'GET', sample, {});
      const shown = [...operations].slice(0, shownMax).join(', ');
      const more = operations.size > shownMax ? ', …' : '';
      const [, note] = [...noted].find(([at]) =>
        pattern.test(at.replace(/:\w+/g, 'x').replace(/\/?\*$/, '/x')),
      ) ?? ['', 'No endpoint yet.'];
      const state = operations.size > 0 ? `${shown}${more}` : note;
      const key = balance === 'none' ? '–' : balance;
      return `| \`${regex.replaceAll('|', '\\|')}\` | ${app} | ${key} | ${state} |`;
    }),
  );
  const head = ['| pattern | app | together by | answered by |', '|---|---|---|---|'];
  return [...head, ...lines].join('\n');
}

const mark = '<!-- patterns: node test/spec/write-worker-patterns.ts -->';

/** The document with the table of patterns as it is now. */
export function withPatterns(document: string, manual: WorkerManual): string {
  const [before, , after] = document.split(mark);
  if (after === undefined) throw new Error('docs/workers.md has lost its marks');
  return `${before}${mark}\n\n${patternTable(manual)}\n\n${mark}${after}`;
}
