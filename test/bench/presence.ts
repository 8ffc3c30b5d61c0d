// CPU of a change of presence that 100 syncing users see, server and database together:
// `node test/bench/presence.ts`. Linux only.
import { readFileSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestClient, type Json } from '../harness/client.ts';
import { makeDataDir, ServerProcess } from '../harness/server.ts';

const watchers = 100;
const changes = 60;
const tickMs = 10;

/** CPU milliseconds of this process's children, with all of theirs. */
function cpuMs(): number {
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const stats = processes.flatMap((pid) => {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
      const ticks = Number(fields[11]) + Number(fields[12]);
      return [{ pid: Number(pid), parent: Number(fields[1]), ms: ticks * tickMs }];
    } catch {
      return [];
    }
  });
  const own = new Set([process.pid]);
  for (let grown = -1; grown !== own.size;) {
    grown = own.size;
    for (const { pid, parent } of stats) if (own.has(parent)) own.add(pid);
  }
  own.delete(process.pid);
  return stats.reduce((sum, { pid, ms }) => sum + (own.has(pid) ? ms : 0), 0);
}

const { dataDir, configPaths } = await makeDataDir();
const server = new ServerProcess(configPaths);
await server.start();
const alice = await TestClient.register(server.url);
const roomId = await alice.createRoom({ preset: 'public_chat' });
const users: TestClient[] = [];
for (let i = 0; i < watchers; i++) {
  // oxlint-disable no-await-in-loop
  const user = await TestClient.register(server.url);
  await user.join(roomId);
  users.push(user);
  // oxlint-enable no-await-in-loop
}
let seen = '';
let waiting = 0;
let all: () => void = () => undefined;
let isOver = false;

async function watch(user: TestClient): Promise<void> {
  let since: string | undefined;
  let known = '';
  // oxlint-disable-next-line no-unmodified-loop-condition
  while (!isOver) {
    const query = { timeout: '30000', set_presence: 'offline', ...(since ? { since } : {}) };
    // oxlint-disable-next-line no-await-in-loop
    const answer = await user.sync(query);
    since = answer['next_batch'] as string;
    const events = ((answer['presence'] as Json | undefined)?.['events'] ?? []) as Json[];
    const text = events.find((one) => one['sender'] === alice.userId)?.['content'].status_msg;
    if (text === seen && known !== seen && seen !== '') {
      known = seen;
      if (--waiting === 0) all();
    }
  }
}
const watching = users.map(watch);
await sleep(4_000);

async function change(text: string): Promise<void> {
  const done = new Promise<void>((resolve) => (all = resolve));
  waiting = watchers;
  seen = text;
  const path = `/_matrix/client/v3/presence/${encodeURIComponent(alice.userId)}/status`;
  await alice.ok('PUT', path, { presence: 'online', status_msg: text });
  await done;
}
for (let i = 0; i < 10; i++) {
  // oxlint-disable-next-line no-await-in-loop
  await change(`warm ${i}`);
}
const before = cpuMs();
for (let i = 0; i < changes; i++) {
  // oxlint-disable-next-line no-await-in-loop
  await change(`change ${i}`);
}
console.log(`${((cpuMs() - before) / changes).toFixed(2)} ms CPU a change seen by ${watchers}`);
isOver = true;
await change('the end');
await Promise.allSettled(watching.map((one) => Promise.race([one, sleep(500)])));
await server.end('SIGTERM');
await rm(dataDir, { recursive: true, force: true });
process.exit(0);
