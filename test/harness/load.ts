import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestClient, type Json } from './client.ts';

const roomCount = 6;
const readerCount = 3;
const pauseMs = 30;
/** How long anything may fail before it counts as broken. */
const patienceMs = 60_000;

/** Repeats a request until it is answered with 200; nothing else is an error meanwhile. */
async function untilDone<T>(attempt: () => Promise<T | null>): Promise<T> {
  const untilMs = performance.now() + patienceMs;
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop
    const result = await attempt().catch(() => null);
    if (result !== null) return result;
    assert.ok(performance.now() < untilMs, 'the server came back');
    // oxlint-disable-next-line no-await-in-loop
    await sleep(pauseMs);
  }
}

/** A user who syncs all the time, and what the timelines have shown. */
class Reader {
  readonly client: TestClient;
  readonly seen = new Map<string, string[]>();
  since = '';

  constructor(client: TestClient) {
    this.client = client;
  }

  async sync(timeoutMs: number): Promise<void> {
    const filter = JSON.stringify({ room: { timeline: { limit: 1000 } } });
    const query = new URLSearchParams({
      filter,
      timeout: String(timeoutMs),
      ...(this.since === '' ? {} : { since: this.since }),
    });
    const path = `/_matrix/client/v3/sync?${query.toString()}`;
    const body = await untilDone(async () => {
      const answer = await this.client.request('GET', path);
      return answer.status === 200 ? answer.body : null;
    });
    const isFirst = this.since === '';
    this.since = body['next_batch'] as string;
    for (const [roomId, room] of Object.entries(body['rooms'].join as Record<string, Json>)) {
      assert.ok(isFirst || room['timeline'].limited !== true, 'no gap');
      const list = this.seen.get(roomId) ?? [];
      this.seen.set(roomId, list);
      for (const event of room['timeline'].events as Json[]) {
        if (event['type'] === 'm.room.message') list.push(event['event_id'] as string);
      }
    }
  }
}

/**
 * Users who send and sync while something happens to the server; then every acknowledged event must
 * have reached every one of them once, in the same order.
 */
export class Load {
  readonly #sender: TestClient;
  readonly #rooms: string[] = [];
  readonly #readers: Reader[] = [];
  readonly #acknowledged = new Map<string, string[]>();
  #round = 0;

  private constructor(sender: TestClient) {
    this.#sender = sender;
  }

  static async prepare(url: string): Promise<Load> {
    const load = new Load(await TestClient.register(url, 'sender'));
    for (let i = 0; i < roomCount; i++) {
      // oxlint-disable-next-line no-await-in-loop
      load.#rooms.push(await load.#sender.createRoom({ preset: 'public_chat' }));
    }
    for (let i = 0; i < readerCount; i++) {
      // oxlint-disable no-await-in-loop
      const client = await TestClient.register(url, 'reader');
      for (const roomId of load.#rooms) await client.join(roomId);
      const reader = new Reader(client);
      await reader.sync(0);
      load.#readers.push(reader);
      // oxlint-enable no-await-in-loop
    }
    return load;
  }

  async #send(roomId: string, txnId: string): Promise<string> {
    const path = `${this.#sender.room(roomId)}/send/m.room.message/${txnId}`;
    return untilDone(async () => {
      const { status, body } = await this.#sender.request('PUT', path, { body: txnId });
      return status === 200 ? (body['event_id'] as string) : null;
    });
  }

  /** Sends and syncs until what happens is over. Gives the longest wait for a send, in milliseconds. */
  async during(happening: () => Promise<unknown>): Promise<number> {
    const round = ++this.#round;
    const state = { isOver: false, longestMs: 0 };
    const sending = this.#rooms.map(async (roomId) => {
      const acknowledged = this.#acknowledged.get(roomId) ?? [];
      this.#acknowledged.set(roomId, acknowledged);
      for (let i = 0; !state.isOver || i < 5; i++) {
        // oxlint-disable no-await-in-loop
        const beganMs = performance.now();
        acknowledged.push(await this.#send(roomId, `r${round}m${i}`));
        state.longestMs = Math.max(state.longestMs, performance.now() - beganMs);
        await sleep(pauseMs);
        // oxlint-enable no-await-in-loop
      }
    });
    const syncing = this.#readers.map(async (reader) => {
      // oxlint-disable-next-line no-await-in-loop
      while (!state.isOver) await reader.sync(500);
    });
    await happening();
    state.isOver = true;
    await Promise.all([...sending, ...syncing]);
    return state.longestMs;
  }

  /** Every acknowledged event has reached every reader once, in the order of sending. */
  async check(): Promise<void> {
    for (const reader of this.#readers) {
      for (const [roomId, acknowledged] of this.#acknowledged) {
        const isComplete = () => reader.seen.get(roomId)?.at(-1) === acknowledged.at(-1);
        // oxlint-disable-next-line no-await-in-loop
        for (let tries = 0; !isComplete() && tries < 100; tries++) await reader.sync(100);
        const seen = reader.seen.get(roomId) ?? [];
        assert.equal(new Set(seen).size, seen.length, 'no event comes twice');
        assert.deepEqual(seen, acknowledged);
      }
    }
  }
}
