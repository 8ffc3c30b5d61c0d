// CPU of a change of presence that 100 syncing users see, server and database together, when so many
// come together: `node test/bench/presence.ts [CHANGES]` (10). Linux only.
import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { childrenCpuMs } from '../harness/cpu.ts';
import { TestClient, type Json } from '../harness/client.ts';
import { makeDataDir, ServerProcess } from '../harness/server.ts';

const watchers = 100;
const together = Number(process.argv[2] ?? 10);
const rounds = 60;

const { dataDir, configPaths } = await makeDataDir();
const server = new ServerProcess(configPaths);
await server.start();
const first = await TestClient.register(server.url);
const roomId = await first.createRoom({ preset: 'public_chat' });

async function members(count: number): Promise<TestClient[]> {
  const users: TestClient[] = [];
  for (let i = 0; i < count; i++) {
    // oxlint-disable no-await-in-loop
    const user = await TestClient.register(server.url);
    await user.join(roomId);
    users.push(user);
    // oxlint-enable no-await-in-loop
  }
  return users;
}
const changers = [first, ...(await members(together - 1))];
const users = await members(watchers);
let now = '';
let waiting = 0;
let all: () => void = () => undefined;
let isOver = false;

async function watch(user: TestClient): Promise<void> {
  let since: string | undefined;
  let round = '';
  let seen = new Set<string>();
  // oxlint-disable-next-line no-unmodified-loop-condition
  while (!isOver) {
    const query = { timeout: '30000', set_presence: 'offline', ...(since ? { since } : {}) };
    // oxlint-disable-next-line no-await-in-loop
    const answer = await user.sync(query);
    since = answer['next_batch'] as string;
    if (round !== now) seen = new Set();
    round = now;
    const before = seen.size;
    const events = ((answer['presence'] as Json | undefined)?.['events'] ?? []) as Json[];
    for (const one of events) {
      if (one['content'].status_msg === now) seen.add(one['sender'] as string);
    }
    if (seen.size === together && before < together && --waiting === 0) all();
  }
}
const watching = users.map(watch);
await sleep(4_000);

/** All change, one after the other; resolves when everybody has seen it. */
async function change(text: string): Promise<void> {
  const done = new Promise<void>((resolve) => (all = resolve));
  waiting = watchers;
  now = text;
  for (const user of changers) {
    const path = `/_matrix/client/v3/presence/${encodeURIComponent(user.userId)}/status`;
    // oxlint-disable-next-line no-await-in-loop
    await user.ok('PUT', path, { presence: 'online', status_msg: text });
  }
  await done;
}
for (let i = 0; i < 10; i++) {
  // oxlint-disable-next-line no-await-in-loop
  await change(`warm ${i}`);
}
const before = childrenCpuMs();
for (let i = 0; i < rounds; i++) {
  // oxlint-disable-next-line no-await-in-loop
  await change(`change ${i}`);
}
const each = (childrenCpuMs() - before) / rounds / together;
console.log(`${each.toFixed(2)} ms CPU a change seen by ${watchers}, ${together} of them together`);
isOver = true;
await change('the end');
await Promise.allSettled(watching.map((one) => Promise.race([one, sleep(500)])));
await server.end('SIGTERM');
await rm(dataDir, { recursive: true, force: true });
process.exit(0);
