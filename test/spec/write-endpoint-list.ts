// Writes `endpoint-list.json` from the list of endpoints of the specification and of the request:
// `node test/spec/write-endpoint-list.ts`.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const path = join(import.meta.dirname, '../../../shared/spec/endpoints.tsv');
const text = readFileSync(path, 'utf8');
const [head, ...lines] = text.trim().split('\n');
const names = head!.split('\t');
const rows = lines
  .map((line) => line.split('\t'))
  .map((cells) => Object.fromEntries(names.map((name, i) => [name, cells[i] ?? ''])))
  .filter((row) => row['api'] === 'client-server')
  .map((row) => ({ method: row['method'], path: row['path'], since: row['since'] }));
writeFileSync(
  join(import.meta.dirname, 'endpoint-list.json'),
  `${JSON.stringify(rows, null, 1)}\n`,
);
