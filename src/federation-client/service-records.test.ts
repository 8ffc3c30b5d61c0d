import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createServiceRecords, inOrder } from './service-records.ts';

const record = (name: string, priority: number, weight: number) => ({
  name,
  port: 8448,
  priority,
  weight,
});
const hosts = (records: ReturnType<typeof record>[], random: () => number) =>
  inOrder(records, random).map(({ host }) => host);

test('lower priorities come first, and within one its weight is the chance to come first', () => {
  const records = [record('late', 20, 0), record('light', 10, 1), record('heavy', 10, 3)];
  assert.deepEqual(
    hosts(records, () => 0),
    ['light', 'heavy', 'late'],
  );
  assert.deepEqual(
    hosts(records, () => 0.24),
    ['light', 'heavy', 'late'],
  );
  assert.deepEqual(
    hosts(records, () => 0.26),
    ['heavy', 'light', 'late'],
  );
  assert.deepEqual(
    hosts([record('a', 0, 0), record('b', 0, 0)], () => 0.9),
    ['a', 'b'],
  );
});

test('a dot is the word for no service; targets are hosts', () => {
  assert.deepEqual(
    hosts([record('', 0, 0)], () => 0),
    [],
  );
  assert.deepEqual(
    hosts([record('a/b@c', 0, 0), record('d.example.', 0, 0)], () => 0),
    ['d.example'],
  );
});

test('answers are kept, failures of name servers are not', async () => {
  let now = 0;
  const asked: string[] = [];
  let code = 'ETIMEOUT';
  const records = createServiceRecords(
    async (name) => {
      asked.push(name);
      if (code !== '') throw Object.assign(new Error(code), { code });
      return [record('b.example', 0, 0)];
    },
    { now: () => now },
  );
  const find = () => records.find('_matrix-fed._tcp.a.example');
  assert.equal(await find(), null);
  code = 'ENOTFOUND';
  assert.equal(await find(), null);
  assert.equal(await find(), null);
  assert.equal(asked.length, 2);
  code = '';
  now += 3_600_000;
  assert.deepEqual(await find(), [{ host: 'b.example', port: 8448 }]);
  assert.deepEqual(await find(), [{ host: 'b.example', port: 8448 }]);
  assert.equal(asked.length, 3);
});

test('of many records no more are kept than are of use', async () => {
  const many = Array.from({ length: 1000 }, (_, i) => record(`h${i}.example`, 1000 - i, 0));
  const answers = [many];
  const records = createServiceRecords(
    async () => answers.shift() ?? assert.fail('asked once'),
    { now: () => 0 },
    () => 0,
  );
  const found = await records.find('_matrix-fed._tcp.a.example');
  assert.deepEqual(
    found!.map(({ host }) => host),
    Array.from({ length: 8 }, (_, i) => `h${999 - i}.example`),
  );
  many.length = 0;
  assert.deepEqual(await records.find('_matrix-fed._tcp.a.example'), found);
});
