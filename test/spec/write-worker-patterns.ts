// Writes the table of patterns in docs/workers.md anew: `node test/spec/write-worker-patterns.ts`.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readManual, withPatterns } from './worker-manual.ts';

const path = join(import.meta.dirname, '../../docs/workers.md');
await writeFile(path, withPatterns(await readFile(path, 'utf8'), readManual()));
