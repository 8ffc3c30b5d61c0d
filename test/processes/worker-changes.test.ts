import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunningSet } from '../../src/up/start-up.ts';
import { TestClient, type Json } from '../harness/client.ts';
import { startWorkerSet } from '../harness/topology.ts';

const roomCount = 12;

describe('workers that come and go', () => {
  let set: RunningSet;
  let close: () => Promise<void>;
  let alice: TestClient;
  let rooms: string[];

  before(async () => {
    const started = await startWorkerSet('', 'workers: {generic_worker: 2}\n');
    set = started.set;
    close = async () => {
      await set.close();
      await rm(started.dataDir, { recursive: true });
    };
    alice = await TestClient.register(set.urls[0]!);
    rooms = [];
    // oxlint-disable-next-line no-await-in-loop
    while (rooms.length < roomCount) rooms.push(await alice.createRoom());
  });
  after(() => close());

  /** Sends to all rooms in turn while `change` goes on; each message is sent until it is taken. */
  async function sendDuring(label: string, change: () => Promise<unknown>): Promise<string[]> {
    const sent: string[] = [];
    const state = { isOver: false };
    const sending = rooms.map(async (roomId) => {
      for (let i = 0; !state.isOver || i < 3; i++) {
        const path = `${alice.room(roomId)}/send/m.room.message/${label}${i}`;
        // oxlint-disable no-await-in-loop
        const { event_id: eventId } = await alice.ok('PUT', path, { body: label });
        sent.push(eventId as string);
        await sleep(20);
        // oxlint-enable no-await-in-loop
      }
    });
    await change();
    state.isOver = true;
    await Promise.all(sending);
    return sent;
  }

  /** Every message that was acknowledged is in its room, once. */
  async function checkAllThere(sent: readonly string[]): Promise<void> {
    const pages = await Promise.all(
      rooms.map(async (roomId) => {
        const ids: string[] = [];
        for (let from = ''; ;) {
          const path = `${alice.room(roomId)}/messages?dir=b&limit=500${from}`;
          // oxlint-disable-next-line no-await-in-loop
          const page = await alice.ok('GET', path);
          ids.push(...(page['chunk'] as Json[]).map((event) => String(event['event_id'])));
          if (page['end'] === undefined) return ids;
          from = `&from=${String(page['end'])}`;
        }
      }),
    );
    const found = pages.flat();
    assert.equal(new Set(found).size, found.length, 'no event is there twice');
    const there = new Set(found);
    assert.deepEqual(
      sent.filter((id) => !there.has(id)),
      [],
    );
  }

  /** The number of rooms' shards that each process writes. */
  const shardsOf = (name: string): number =>
    Number(new RegExp(`^${name} .*events×(\\d+)`, 'm').exec(set.table())?.[1] ?? 0);

  it('a worker that joins takes its part; nobody is restarted, no request fails', async () => {
    const before = set.pids();
    const sent = await sendDuring('join', async () => {
      await set.scale(new Map([['generic_worker', 3]]));
      while (shardsOf('generic_worker3') === 0) await sleep(50);
    });
    const now = set.pids();
    for (const [name, pid] of before) assert.equal(now.get(name), pid, name);
    assert.equal(now.size, before.size + 1);
    await checkAllThere(sent);
  });

  it('a worker that leaves hands over; no request fails', async () => {
    const sent = await sendDuring('leave', () => set.scale(new Map([['generic_worker', 2]])));
    assert.equal(set.pids().has('generic_worker3'), false);
    await checkAllThere(sent);
  });

  it('every process is replaced by a new one; no request fails', async () => {
    const before = set.pids();
    const sent = await sendDuring('roll', () => set.roll());
    const now = set.pids();
    assert.deepEqual([...now.keys()].toSorted(), [...before.keys()].toSorted());
    for (const [name, pid] of before) assert.notEqual(now.get(name), pid, name);
    await checkAllThere(sent);
  });

  it('a worker that is killed is replaced; no request fails and nothing is lost', async () => {
    const before = set.pids().get('generic_worker1')!;
    const sent = await sendDuring('kill', async () => {
      process.kill(before, 'SIGKILL');
      while (set.pids().get('generic_worker1') === before) await sleep(50);
      while (shardsOf('generic_worker1') === 0) await sleep(50);
    });
    await checkAllThere(sent);
  });
});
