// Loaded into every test process of a whole run: notes which paths it asks servers for, for the
// table of endpoints in `docs/endpoints.md`.
import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const folder = process.env['LATTICE_REQUESTS'];
const testFile = basename(process.argv[1] ?? '');

if (folder !== undefined && testFile.endsWith('.test.ts')) {
  const asked = new Set<string>();
  const { fetch } = globalThis;
  globalThis.fetch = async (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    const method = init?.method ?? (input instanceof Request ? input.method : 'GET');
    const response = await fetch(input, init);
    const outcome = response.status < 400 ? 'answered' : 'refused';
    asked.add(`${method.toUpperCase()} ${new URL(url).pathname} ${outcome}`);
    return response;
  };
  process.on('exit', () => {
    if (asked.size === 0) return;
    const path = join(folder, `${testFile}.${process.pid}.json`);
    writeFileSync(path, JSON.stringify({ testFile, asked: [...asked] }));
  });
}
