// Which endpoints of the client-server API the tests have called, by what the run has noted in a
// folder: `node test/spec/endpoint-coverage.ts FOLDER [--write]`. Fails when one is not declared or
// not tested; with `--write` makes `docs/endpoints.md` of it.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import FindMyWay from 'find-my-way';
import { declaredRows } from '../../src/apps/declared-rows.ts';
import type { EndpointRow } from '../../src/http/endpoint-table.ts';
import { appsOf } from '../../src/routing/apps.ts';

interface Listed {
  method: string;
  path: string;
  /** Version of the specification. */
  since: string;
}

const [folder, mode] = process.argv.slice(2);
const list = JSON.parse(
  readFileSync(join(import.meta.dirname, 'endpoint-list.json'), 'utf8'),
) as Listed[];

const router = FindMyWay({ ignoreTrailingSlash: true, maxParamLength: 2048 });
const unused = () => undefined;
for (const row of declaredRows()) {
  router.on(row.method as 'GET', row.path, unused, row);
}
const rowOf = (method: string, path: string) =>
  router.find(method as 'GET', path)?.store as EndpointRow | undefined;

/** Test files by operation: those that got an answer, and those that were refused one. */
const answered = new Map<string, Set<string>>();
const refused = new Map<string, Set<string>>();
for (const name of readdirSync(folder!)) {
  const { testFile, asked } = JSON.parse(readFileSync(join(folder!, name), 'utf8')) as {
    testFile: string;
    asked: string[];
  };
  for (const request of asked) {
    const [method = '', path = '', outcome] = request.split(' ');
    const row = rowOf(method, path);
    if (!row) continue;
    const files = outcome === 'answered' ? answered : refused;
    files.set(row.operation, (files.get(row.operation) ?? new Set()).add(testFile));
  }
}

const lines: string[] = [];
const wrong: string[] = [];
for (const { method, path, since } of list) {
  const row = rowOf(method, path.replaceAll(/\{[^}]+\}/g, 'x'));
  const files = row && (answered.get(row.operation) ?? refused.get(row.operation));
  const isRefused = row && !answered.has(row.operation);
  const shown = `${method} ${path}`;
  if (!row) wrong.push(`${shown} is not declared`);
  if (row && !files) wrong.push(`${shown} is not tested`);
  const app = row ? appsOf(row.group)[0]! : '–';
  const names = [...(files ?? [])].toSorted().slice(0, 3).join(', ');
  const tests = files ? names + (isRefused ? ' (refusals)' : '') : 'none';
  lines.push(`| \`${shown}\` | ${since} | \`${app}\` | ${tests} |`);
}

if (mode === '--write') {
  const text = `# Endpoints of the client-server API

Made by the tests: what is called and answered by which test files (at most three are named). A row
that no test calls fails the run. All forms with older prefixes belong to the same endpoint. The app is
the worker app that the requests are placed at; any other answers them too.

| endpoint | since | worker app | tested by |
|---|---|---|---|
${lines.join('\n')}
`;
  writeFileSync(join(import.meta.dirname, '..', '..', 'docs', 'endpoints.md'), text);
}
for (const line of wrong) console.log(line);
console.log(`${list.length} endpoints, ${wrong.length} of them without a test`);
process.exit(wrong.length === 0 ? 0 : 1);
