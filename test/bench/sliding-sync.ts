// CPU of the first sliding-sync response of users in 1,000 rooms, server and database together:
// `node test/bench/sliding-sync.ts [ROOMS] [USERS]` (1000, 12). Linux only.
import { rm } from 'node:fs/promises';
import { childrenCpuMs } from '../harness/cpu.ts';
import { TestClient, type Json } from '../harness/client.ts';
import { makeDataDir, ServerProcess } from '../harness/server.ts';

const roomCount = Number(process.argv[2] ?? 1000);
const userCount = Number(process.argv[3] ?? 12);
const rounds = 20;
const path = '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync?timeout=0';

/** What Element X asks for at its start. */
const request = (connId: string): Json => ({
  conn_id: connId,
  lists: {
    all_rooms: {
      ranges: [[0, 19]],
      timeline_limit: 1,
      required_state: [
        ['m.room.name', ''],
        ['m.room.encryption', ''],
        ['m.room.member', '$LAZY'],
        ['m.room.member', '$ME'],
        ['m.room.topic', ''],
        ['m.room.avatar', ''],
        ['m.room.canonical_alias', ''],
        ['m.room.power_levels', ''],
        ['m.room.create', ''],
        ['m.room.join_rules', ''],
        ['m.room.tombstone', ''],
        ['m.room.history_visibility', ''],
      ],
      filters: { not_room_types: ['m.space'] },
    },
  },
  extensions: {
    account_data: { enabled: true },
    receipts: { enabled: true, rooms: ['*'] },
    typing: { enabled: true },
    to_device: { enabled: true },
    e2ee: { enabled: true },
  },
});

/** Runs the works one after the other. */
async function each<T>(items: Iterable<T>, work: (item: T, i: number) => Promise<unknown>) {
  let i = 0;
  // oxlint-disable-next-line no-await-in-loop
  for (const item of items) await work(item, i++);
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

const { dataDir, configPaths } = await makeDataDir();
const server = new ServerProcess(configPaths);
await server.start();
const [owner, ...users] = await Promise.all(
  range(userCount + 2).map(() => TestClient.register(server.url)),
);
await each(range(roomCount), async (n) => {
  const roomId = await owner!.createRoom({ preset: 'public_chat', name: `Room ${n}` });
  await Promise.all(users.map((user) => user.join(roomId)));
  await owner!.ok('PUT', `${owner!.room(roomId)}/send/m.room.message/${n}`, {
    msgtype: 'm.text',
    body: `message ${n}`,
  });
});
// What is measured is an answer, not the compiling of code that makes it.
const [warm, ...measured] = users;

async function restart(): Promise<void> {
  await server.end('SIGTERM');
  await server.start();
  await each(range(100), (n) => warm!.ok('POST', path, request(`warm ${n}`)));
}

async function cpuOf(work: () => Promise<void>, count: number): Promise<string> {
  const before = childrenCpuMs();
  await work();
  return ((childrenCpuMs() - before) / count).toFixed(1);
}

await restart();
const asked = (name: string) => () =>
  each(measured, (user) => user.ok('POST', path, request(name)));
console.log(
  `${await cpuOf(asked('first'), measured.length)} ms: the first since the server's start`,
);
const again = async () => each(range(rounds), (n) => asked(`conn ${n}`)());
console.log(`${await cpuOf(again, measured.length * rounds)} ms: a further connection's first`);
await server.end('SIGTERM');
await rm(dataDir, { recursive: true, force: true });
