#!/usr/bin/env node
// Runs Lattice with the Node.js that npm has installed beside it, since the one at hand may be
// older. This file must therefore work with Node.js 20.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const oldestMajor = 26;
const main = join(dirname(fileURLToPath(import.meta.url)), '..', 'src', 'main.ts');

function findNode() {
  if (Number(process.versions.node.split('.')[0]) >= oldestMajor) return process.execPath;
  const name = `node-${process.platform}-${process.arch}`;
  try {
    const require = createRequire(import.meta.url);
    return join(dirname(require.resolve(`${name}/package.json`)), 'bin', 'node');
  } catch {
    console.error(
      `Lattice needs Node.js ${oldestMajor}, and this is ${process.version}. The npm package ` +
        `${name} would bring it: run "npm ci" without --omit=optional, or install Node.js ` +
        `${oldestMajor} yourself.`,
    );
    return process.exit(1);
  }
}

const node = findNode();
// Compiled code is kept, so that the next start is quicker; short-lived objects get more room,
// so that fewer of them are copied; and what a function sees is learned from its first call on.
process.env.NODE_COMPILE_CACHE ??= join(dirname(main), '..', 'node_modules', '.cache', 'lattice');
const flags = [
  '--disable-warning=ExperimentalWarning',
  '--max-semi-space-size=24',
  '--no-lazy-feedback-allocation',
];
const args = [...flags, main, ...process.argv.slice(2)];

if (typeof process.execve === 'function') {
  process.execve(node, [node, ...args], process.env);
} else {
  // Node.js 20 cannot become another program. By the channel the child notices when this process is
  // killed.
  const child = spawn(node, args, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
  child.on('error', (error) => {
    console.error(`${node} cannot be run: ${error.message}`);
    process.exit(1);
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => child.kill(signal));
  }
  child.on('exit', (code, signal) => {
    if (signal) process.removeAllListeners(signal);
    if (signal) process.kill(process.pid, signal);
    else process.exit(code ?? 1);
  });
}
