// Runs the tests with the Node.js that npm has installed: `node test/run.mjs [file or glob …]`.
// This file itself works with Node.js 20.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const bundled = join(
  root,
  'node_modules',
  `node-${process.platform}-${process.arch}`,
  'bin',
  'node',
);
const node = existsSync(bundled) ? bundled : process.execPath;
const wanted = process.argv.slice(2);
const files = wanted.length > 0 ? wanted : ['src/**/*.test.ts', 'test/**/*.test.ts'];

const child = spawn(
  node,
  [
    '--disable-warning=ExperimentalWarning',
    '--test',
    `--test-concurrency=${Math.max(2, availableParallelism())}`,
    '--test-timeout=240000',
    // Clients leave timers behind.
    '--test-force-exit',
    ...files,
  ],
  { cwd: root, stdio: 'inherit' },
);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('exit', (code) => process.exit(code ?? 1));
