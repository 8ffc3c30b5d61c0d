// CPU of an event that another server sends, server and database together, for transactions of 50 events
// and of one: `node test/bench/inbound-pdus.ts [EVENTS] [VERSIONS]` (10000, 11,12). Linux only.
import { rm } from 'node:fs/promises';
import type { BuiltEvent } from '../../src/matrix/event-builder.ts';
import type { JsonObject } from '../../src/matrix/pdu.ts';
import { childrenCpuMs } from '../harness/cpu.ts';
import { TestClient } from '../harness/client.ts';
import { RemoteRoom } from '../harness/remote-room.ts';
import { startRemoteServer } from '../harness/remote-server.ts';
import { makeDataDir, ServerProcess } from '../harness/server.ts';

const eventCount = Number(process.argv[2] ?? 10_000);
const versions = (process.argv[3] ?? '11,12').split(',');
const perTransaction = 50;
const senders = 10;
const words = 'Nobody has said anything of the kind so far, and nobody is going to say it soon.';

const remote = await startRemoteServer();
let room: RemoteRoom | null = null;
remote.answer = (request) => room?.answer(request) ?? null;
const { dataDir, configPaths } = await makeDataDir();
const server = new ServerProcess(configPaths);
await server.start();
const alice = await TestClient.register(server.url);

async function joinedRoom(version: string) {
  room = new RemoteRoom(remote, { version });
  for (let i = 0; i < senders; i++) room.member(`@sender${i}:${remote.name}`, 'join');
  const path = `/_matrix/client/v3/join/${encodeURIComponent(room.roomId)}?via=${remote.name}`;
  await alice.ok('POST', path, {});
  return room;
}

let transactions = 0;
async function send(events: readonly BuiltEvent[]): Promise<void> {
  const uri = `/_matrix/federation/v1/send/${++transactions}`;
  const pdus = events.map(room!.pdu);
  const content = { origin: remote.name, origin_server_ts: Date.now(), pdus, edus: [] };
  const response = await remote.fetch(server.url, 'PUT', uri, content);
  const results = ((await response.json()) as { pdus: Record<string, JsonObject> }).pdus;
  const isGood = events.every(({ eventId }) => results[eventId] && !results[eventId]['error']);
  if (!isGood) throw new Error(JSON.stringify(results));
}

function message(n: number): BuiltEvent {
  const content = { msgtype: 'm.text', body: `${n}: ${words}` };
  const sender = `@sender${n % senders}:${remote.name}`;
  return room!.send({ type: 'm.room.message', sender, content });
}

/** CPU milliseconds an event. */
async function measure(count: number, each: number): Promise<number> {
  const before = childrenCpuMs();
  for (let sent = 0; sent < count; sent += each) {
    // oxlint-disable-next-line no-await-in-loop -- a server sends one transaction at a time
    await send(Array.from({ length: each }, (_, i) => message(sent + i)));
  }
  return (childrenCpuMs() - before) / count;
}

for (const version of versions) {
  // oxlint-disable no-await-in-loop
  await joinedRoom(version);
  await measure(eventCount / 2, perTransaction);
  await measure(eventCount / 20, 1);
  const many = await measure(eventCount, perTransaction);
  const lone = await measure(eventCount / 5, 1);
  // oxlint-enable no-await-in-loop
  console.log(
    `room version ${version}: ${many.toFixed(3)} ms an event in transactions of ${perTransaction}, ${lone.toFixed(3)} alone`,
  );
}
await server.end('SIGTERM');
await remote.stop();
await rm(dataDir, { recursive: true, force: true });
