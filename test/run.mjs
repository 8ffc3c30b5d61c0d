// Runs the tests with the Node.js that npm has installed: `node test/run.mjs [--workers] [file or glob …]`.
// Without files: everything, then the integration tests once more on worker sets.
// This file itself works with Node.js 20.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
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
// Hundreds of processes load the same files: compiled code is kept, as `bin/lattice.mjs` does it.
process.env.NODE_COMPILE_CACHE ??= join(root, 'node_modules', '.cache', 'lattice');
const given = process.argv.slice(2);
const onWorkers = given.includes('--workers');
const wanted = given.filter((one) => one !== '--workers');

/** Runs test files; resolves with the exit code of the test runner. */
function run(files, environment) {
  const child = spawn(
    node,
    [
      '--disable-warning=ExperimentalWarning',
      '--test',
      // Some wait for most of their time.
      `--test-concurrency=${availableParallelism() + 1}`,
      '--test-timeout=240000',
      // Clients leave timers behind.
      '--test-force-exit',
      ...(environment.LATTICE_REQUESTS ? ['--import', recorder] : []),
      ...files,
    ],
    { cwd: root, stdio: 'inherit', env: { ...process.env, ...environment } },
  );
  children.add(child);
  return new Promise((resolve) => {
    child.on('exit', (code) => {
      children.delete(child);
      resolve(code ?? 1);
    });
  });
}

/** The process that starts worker sets for the files; resolves with its URL. */
async function serveSets() {
  const script = join(root, 'test', 'harness', 'serve-sets.ts');
  const child = spawn(node, ['--disable-warning=ExperimentalWarning', script], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  children.add(child);
  for await (const chunk of child.stdout) {
    const match = /^http\S+/m.exec(String(chunk));
    if (match) return { url: match[0], child };
  }
  throw new Error('nobody starts worker sets');
}

const recorder = join(root, 'test', 'harness', 'record-requests.ts');
const children = new Set();
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    for (const child of children) child.kill(signal);
  });
}

async function runOnWorkers(files) {
  console.log(`the same on worker sets: ${files.join(' ')}`);
  const { url, child } = await serveSets();
  const code = await run(files, { LATTICE_TEST_SETS: url });
  child.kill('SIGTERM');
  await new Promise((resolve) => child.once('exit', resolve));
  return code;
}

/** Every endpoint has been called by a test. `LATTICE_WRITE_DOCS=1` writes the table of them. */
function checkEndpoints(requests) {
  const script = join(root, 'test', 'spec', 'endpoint-coverage.ts');
  const mode = process.env.LATTICE_WRITE_DOCS ? ['--write'] : [];
  const child = spawn(node, ['--disable-warning=ExperimentalWarning', script, requests, ...mode], {
    cwd: root,
    stdio: 'inherit',
  });
  return new Promise((resolve) => child.on('exit', (exit) => resolve(exit ?? 1)));
}

const integration = ['test/integration/*.test.ts'];
let code;
if (onWorkers) code = await runOnWorkers(wanted.length > 0 ? wanted : integration);
else if (wanted.length > 0) code = await run(wanted, {});
else {
  const requests = mkdtempSync(join(tmpdir(), 'lattice-requests-'));
  code = await run(['src/**/*.test.ts', 'test/**/*.test.ts'], { LATTICE_REQUESTS: requests });
  if (code === 0) code = await checkEndpoints(requests);
  rmSync(requests, { recursive: true, force: true });
  if (code === 0) code = await runOnWorkers(integration);
}
process.exit(code);
