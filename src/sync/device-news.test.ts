import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { parsePosition } from '../streams/position.ts';
import { createDeviceNews, type DeviceNewsReader } from './device-news.ts';
import { UserView } from './views/user-view.ts';

/** What the sources were asked, in order. */
let asked: string[];
let inbox: { pos: number; message: string }[];
let isWritable: boolean;
let counts: Record<string, number>;
let reader: DeviceNewsReader;
let user: UserView;

beforeEach(() => {
  asked = [];
  inbox = [];
  isWritable = true;
  counts = {};
  user = new UserView(1, '@user:test', 0);
  reader = createDeviceNews({
    toDevice: {
      async span() {
        asked.push('span');
        return { firstPos: inbox[0]?.pos ?? null, lastPos: inbox.at(-1)?.pos ?? null };
      },
      waiting(_device, afterPos, uptoPos, limit) {
        asked.push('waiting');
        return inbox.filter(({ pos }) => pos > afterPos && pos <= uptoPos).slice(0, limit);
      },
      async acknowledge(_device, pos) {
        asked.push(`acknowledge ${pos}`);
        if (isWritable) inbox = inbox.filter((message) => message.pos > pos);
        return isWritable;
      },
    },
    oneTimeKeys: {
      async state() {
        asked.push('keys');
        return { counts, unusedFallbackTypes: [] };
      },
    },
  });
});

/** Since the last time it was called. */
const questions = () => asked.splice(0);
const at = (durable: number, toDevice = durable) =>
  parsePosition(toDevice < durable ? `s${durable}_0_${toDevice}` : `s${durable}_0`)!;

test('a device for which nothing is new asks nothing', async () => {
  const device = await reader.open(user, 7);
  await reader.keysJson(user, device);
  assert.deepEqual(questions(), ['span', 'keys']);
  for (const since of [5, 6, 6, 9]) {
    // oxlint-disable-next-line no-await-in-loop
    assert.equal(await reader.open(user, 7), device);
    reader.acknowledge(user, device, at(since));
    assert.deepEqual(reader.news(user, device, at(since), 10), {
      messages: [],
      toDevice: undefined,
    });
    assert.equal(typeof reader.keysJson(user, device), 'string');
  }
  assert.deepEqual(questions(), []);
});

test('one-time keys are read again when they have changed, also while they are read', async () => {
  const device = await reader.open(user, 7);
  const reading = reader.keysJson(user, device);
  counts = { signed_curve25519: 3 };
  device.keysChanged();
  await reading;
  assert.match(await reader.keysJson(user, device), /"signed_curve25519":3/);
  questions();
  await reader.keysJson(user, device);
  assert.deepEqual(questions(), []);
});

test('messages are acknowledged once, by whoever syncs on', async () => {
  inbox = [{ pos: 3, message: 'a' }];
  const device = await reader.open(user, 7);
  inbox.push({ pos: 5, message: 'b' });
  device.received(5);
  reader.acknowledge(user, device, at(2));
  assert.deepEqual((await reader.news(user, device, at(2), 4)).messages, ['a']);
  assert.deepEqual((await reader.news(user, device, at(2), 6)).messages, ['a', 'b']);
  reader.acknowledge(user, device, at(6));
  reader.acknowledge(user, device, at(6));
  assert.deepEqual(questions(), ['span', 'waiting', 'waiting', 'acknowledge 6']);
  assert.deepEqual((await reader.news(user, device, null, 6)).messages, []);
});

test('an acknowledgement that failed is repeated', async () => {
  inbox = [{ pos: 3, message: 'a' }];
  isWritable = false;
  const device = await reader.open(user, 7);
  reader.acknowledge(user, device, at(3));
  await new Promise((resolve) => setImmediate(resolve));
  isWritable = true;
  reader.acknowledge(user, device, at(4));
  assert.deepEqual(questions(), ['span', 'acknowledge 3', 'acknowledge 4']);
  assert.deepEqual(inbox, []);
});

test('with more than a hundred the client is told how far it is', async () => {
  inbox = Array.from({ length: 150 }, (_, i) => ({ pos: i + 1, message: `${i + 1}` }));
  const device = await reader.open(user, 7);
  const first = await reader.news(user, device, null, 200);
  assert.equal(first.messages.length, 100);
  assert.equal(first.toDevice, 100);
  reader.acknowledge(user, device, at(200, 100));
  const second = await reader.news(user, device, at(200, 100), 200);
  assert.deepEqual(
    [second.messages.length, second.messages[0], second.toDevice],
    [50, '101', undefined],
  );
});
