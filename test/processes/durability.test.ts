import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { TestClient, type Json } from '../harness/client.ts';
import { makeDataDir, ServerProcess } from '../harness/server.ts';

/** Sends one message; gives its event id, or null when the server went away. */
async function trySend(client: TestClient, roomId: string, txnId: string): Promise<string | null> {
  try {
    const path = `${client.room(roomId)}/send/m.room.message/${txnId}`;
    const answer = await client.request('PUT', path, { msgtype: 'm.text', body: txnId });
    return answer.status === 200 ? (answer.body['event_id'] as string) : null;
  } catch {
    return null;
  }
}

async function allMessages(client: TestClient, roomId: string): Promise<Json[]> {
  const found: Json[] = [];
  let from: string | undefined;
  do {
    const query = new URLSearchParams({ dir: 'b', limit: '100', ...(from ? { from } : {}) });
    const page = await client.ok('GET', `${client.room(roomId)}/messages?${query.toString()}`);
    found.push(...(page['chunk'] as Json[]).filter((event) => event['type'] === 'm.room.message'));
    from = page['end'] as string | undefined;
  } while (from !== undefined);
  return found;
}

/** Process id of the PostgreSQL that a server has started. */
function postmasterOf(configPath: string): number {
  const file = join(dirname(configPath), 'postgres', 'data', 'postmaster.pid');
  return Number(readFileSync(file, 'utf8').split('\n')[0]);
}

const messages = 400;
const lanes = 8;

/** Sends from several lanes at once; `disturb` is called in the middle. */
async function burst(client: TestClient, roomId: string, disturb: () => void) {
  const acknowledged = new Map<string, string>();
  let sent = 0;
  const lane = async (n: number) => {
    for (let i = n; i < messages; i += lanes) {
      if (++sent === messages / 2) disturb();
      const txnId = `m${i}`;
      const eventId = await trySend(client, roomId, txnId);
      if (eventId !== null) acknowledged.set(txnId, eventId);
    }
  };
  await Promise.all(Array.from({ length: lanes }, (_, n) => lane(n)));
  return acknowledged;
}

/** On a busy machine the database may be away for longer than a request waits for it. */
async function sendAtLast(client: TestClient, roomId: string, txnId: string) {
  for (let tries = 1; tries < 5; tries++) {
    // oxlint-disable-next-line no-await-in-loop
    const eventId = await trySend(client, roomId, txnId);
    if (eventId !== null) return eventId;
  }
  return null;
}

async function checkNothingLost(
  client: TestClient,
  roomId: string,
  acknowledged: Map<string, string>,
): Promise<void> {
  const all = Array.from({ length: messages }, (_, i) => `m${i}`);
  const ids = await Promise.all(
    all.map(async (txnId) => [txnId, await sendAtLast(client, roomId, txnId)] as const),
  );
  for (const [txnId, eventId] of ids) {
    assert.notEqual(eventId, null, `${txnId} could not be sent again`);
    const before = acknowledged.get(txnId);
    if (before !== undefined) assert.equal(eventId, before, `${txnId} got a second event`);
  }
  const bodies = (await allMessages(client, roomId)).map(
    (event) => event['content'].body as string,
  );
  assert.deepEqual(bodies.toSorted(), all.toSorted());
}

test('kill -9 of the server in the middle of sending loses and doubles nothing', async () => {
  const { dataDir, configPaths } = await makeDataDir();
  const server = new ServerProcess(configPaths);
  try {
    await server.start();
    const alice = await TestClient.register(server.url, 'alice');
    const roomId = await alice.createRoom();
    let ended: Promise<unknown> = Promise.resolve();
    const acknowledged = await burst(alice, roomId, () => {
      ended = server.end('SIGKILL');
    });
    await ended;
    assert.ok(acknowledged.size > 0 && acknowledged.size < messages);
    await server.start();
    await checkNothingLost(alice, roomId, acknowledged);
    assert.equal(await server.end('SIGTERM'), 0);
  } finally {
    await server.end('SIGTERM');
    await rm(dataDir, { recursive: true, force: true });
  }
});

test('kill -9 of PostgreSQL in the middle of sending loses and doubles nothing', async () => {
  const { dataDir, configPaths } = await makeDataDir();
  const server = new ServerProcess(configPaths);
  try {
    await server.start();
    const alice = await TestClient.register(server.url, 'alice');
    const roomId = await alice.createRoom();
    const acknowledged = await burst(alice, roomId, () => {
      process.kill(postmasterOf(configPaths[0]!), 'SIGKILL');
    });
    assert.ok(acknowledged.size > 0);
    await checkNothingLost(alice, roomId, acknowledged);
    assert.equal(await server.end('SIGTERM'), 0);
  } finally {
    await server.end('SIGTERM');
    await rm(dataDir, { recursive: true, force: true });
  }
});
