import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { eventually } from '../../test/harness/eventually.ts';
import { RemoteRoom } from '../../test/harness/remote-room.ts';
import type { RemoteServer } from '../../test/harness/remote-server.ts';
import { alice, bodiesFor, openTestSender, theirKey, type TestSender } from './test-sender.ts';

const them = 'them.test';
const bob = `@bob:${them}`;
const others = 'others.test';

let world: TestSender;
before(async () => {
  world = await openTestSender();
});
beforeEach(() => {
  world.arrived.length = 0;
  world.tried.length = 0;
  world.away.clear();
  world.onTransaction = () => undefined;
});
after(() => world.close());

const arrives = (roomId: string, bodies: string[], destination = them) =>
  eventually(async () => assert.deepEqual(bodiesFor(world, destination, roomId), bodies));

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `${from + i}`);

async function sayAll(roomId: string, bodies: readonly string[]): Promise<void> {
  // oxlint-disable-next-line no-await-in-loop
  for (const body of bodies) await world.say(roomId, body);
}

test('events go to servers with joined users, while they are, and to nobody else', async () => {
  const roomId = await world.createRoom();
  await world.say(roomId, 'alone');
  await world.join(roomId, bob);
  await world.say(roomId, 'together');
  await world.join(roomId, `@eve:${others}`);
  await world.say(roomId, 'all');
  await world.leave(roomId, bob);
  await world.say(roomId, 'without them');
  await arrives(roomId, ['all', 'without them'], others);
  assert.deepEqual(bodiesFor(world, them, roomId), ['together', 'all']);
  const types = world.arrived.flatMap(({ pdus }) => pdus.map(({ sender }) => sender));
  assert.ok(types.every((sender) => sender.endsWith(':us.test')));
});

test('when the newest event was made that a server has is shown, for those that are wanted', async () => {
  const roomId = await world.createRoom();
  await world.join(roomId, bob);
  await world.join(roomId, `@eve:${others}`);
  await world.say(roomId, 'timed');
  await arrives(roomId, ['timed']);
  await arrives(roomId, ['timed'], others);
  const last = world.arrived.find(({ destination }) => destination === them)!.pdus.at(-1)!;
  const metric = 'synapse_federation_last_sent_pdu_time';
  await eventually(async () => {
    const text = await world.metrics.registry.getSingleMetricAsString(metric);
    const series = text.split('\n').filter((line) => line.startsWith(metric));
    const seconds = last.origin_server_ts / 1_000;
    assert.deepEqual(series, [`${metric}{destination_server_name="${them}"} ${seconds}`]);
  });
});

test('who is put out is told, though nobody of the server is left', async () => {
  const roomId = await world.createRoom();
  await world.join(roomId, bob);
  await world.append(roomId, {
    type: 'm.room.member',
    stateKey: bob,
    content: { membership: 'ban' },
  });
  await world.say(roomId, 'later');
  await eventually(async () => {
    const [pdu] = world.arrived.flatMap(({ pdus }) => pdus);
    assert.equal(pdu?.content['membership'], 'ban');
  });
  assert.deepEqual(bodiesFor(world, them, roomId), []);
});

test('an event of another server is sent on when this one vouches for it, also by who comes after', async () => {
  const roomId = await world.createRoom();
  await world.join(roomId, bob);
  await world.join(roomId, `@eve:${others}`);
  const content = { membership: 'join', displayname: 'Eve' };
  const eve = `@eve:${others}`;
  await world.receive(roomId, { sender: eve, type: 'm.room.member', stateKey: eve, content });
  const { rows } = await world.sql.query(
    `select room_nid, event_nid from events join rooms using (room_nid)
     where room_id = $1 order by pos desc limit 1`,
    [roomId],
  );
  const [roomNid, eventNid] = [Number(rows[0].room_nid), Number(rows[0].event_nid)];
  const joins = (destination: string) =>
    world.arrived
      .filter((one) => one.destination === destination)
      .flatMap(({ pdus }) => pdus)
      .filter(({ sender }) => sender === eve).length;
  await world.sender.passOn({ roomNid, eventNid, origin: others });
  await eventually(async () => assert.equal(joins(them), 1));
  world.away.add(them);
  await world.sender.passOn({ roomNid, eventNid, origin: others });
  await eventually(async () => assert.ok(world.backOff.waitMs(them) > 0));
  await world.restart(true);
  world.away.delete(them);
  world.clock.pass(600_000);
  await eventually(async () => assert.equal(joins(them), 2));
  assert.equal(joins(others), 0);
  const kept = async () =>
    (await world.sql.query('select from federation_passed_on_events')).rows.length;
  assert.equal(await kept(), 2);
  await world.say(roomId, 'later');
  await arrives(roomId, ['later']);
  await world.restart(true);
  await world.sender.tidy();
  assert.equal(await kept(), 0);
});

test('a join that another server has let in is told by that one, also to who comes after', async (t) => {
  const fresh = await openTestSender();
  t.after(() => fresh.close());
  const room = new RemoteRoom({ name: them, key: theirKey } as RemoteServer);
  const { roomId } = room;
  const state = [...room.state.values()];
  const join = room.member(alice, 'join');
  await fresh.rooms.foreign.adopt({ roomId, roomVersion: '11', state, authChain: [], join });
  await fresh.say(roomId, 'here');
  await eventually(async () => assert.deepEqual(bodiesFor(fresh, them, roomId), ['here']));
  fresh.away.add(them);
  await fresh.say(roomId, 'later');
  await eventually(async () => assert.ok(fresh.backOff.waitMs(them) > 0));
  await fresh.restart(false);
  fresh.away.clear();
  fresh.clock.pass(60_000);
  await eventually(async () => assert.ok(bodiesFor(fresh, them, roomId).includes('later')));
  const types = fresh.arrived.flatMap(({ pdus }) => pdus.map(({ type }) => type));
  assert.deepEqual(new Set(types), new Set(['m.room.message']));
});

test('a transaction at a time, of at most 50 events, each with an id of its own', async () => {
  const roomId = await world.createRoom();
  await world.join(roomId, bob);
  let underWay = 0;
  const gate = Promise.withResolvers<void>();
  world.onTransaction = async () => {
    assert.equal(++underWay, 1);
    await gate.promise;
    underWay--;
  };
  await sayAll(roomId, numbers(130));
  gate.resolve();
  await arrives(roomId, numbers(130));
  const sizes = world.arrived.map(({ pdus }) => pdus.length);
  assert.ok(sizes.every((size) => size <= 50));
  assert.ok(sizes.length <= 4, 'what waits goes together');
  const ids = world.arrived.map(({ txnId }) => txnId);
  assert.equal(new Set(ids).size, ids.length);
});

test('a server that was away gets everything in order when it is tried again', async () => {
  const rooms = [await world.createRoom(), await world.createRoom()];
  for (const roomId of rooms) {
    // oxlint-disable-next-line no-await-in-loop
    await world.join(roomId, bob);
  }
  world.away.add(them);
  for (const roomId of rooms) {
    // oxlint-disable-next-line no-await-in-loop
    await sayAll(roomId, numbers(60));
  }
  await eventually(async () => assert.ok(world.backOff.waitMs(them) > 0));
  world.away.delete(them);
  const tries = world.tried.length;
  assert.equal(tries, 1, 'it is left alone');
  world.clock.pass(60_000);
  for (const roomId of rooms) {
    // oxlint-disable-next-line no-await-in-loop
    await arrives(roomId, numbers(60));
    // oxlint-disable-next-line no-await-in-loop
    await world.say(roomId, 'now');
    // oxlint-disable-next-line no-await-in-loop
    await arrives(roomId, [...numbers(60), 'now']);
  }
});

test('each failure makes the pause longer; a server that is heard of is tried at once', async () => {
  const roomId = await world.createRoom();
  await world.join(roomId, bob);
  world.away.add(them);
  await world.say(roomId, '0');
  await eventually(async () => assert.equal(world.backOff.waitMs(them), 60_000));
  world.clock.pass(60_000);
  await eventually(async () => assert.equal(world.backOff.waitMs(them), 120_000));
  const { rows } = await eventually(async () => {
    const found = await world.sql.query(
      'select failing_since_ts, retry_last_ts, retry_interval_ms from federation_destinations ' +
        'where server_name = $1 and retry_interval_ms = 120000',
      [them],
    );
    assert.equal(found.rows.length, 1);
    return found;
  });
  assert.equal(Number(rows[0].retry_last_ts) - Number(rows[0].failing_since_ts), 60_000);
  world.away.delete(them);
  world.clock.pass(10_000);
  world.backOff.heardFrom(them);
  await arrives(roomId, ['0']);
  assert.equal(world.backOff.failing(them), null);
});

test('who joins while a server is away, and who leaves, decides what it gets', async () => {
  const roomId = await world.createRoom();
  const other = await world.createRoom();
  await world.join(other, bob);
  world.away.add(them);
  await world.say(other, 'lost?');
  await eventually(async () => assert.ok(world.backOff.waitMs(them) > 0));
  await world.say(roomId, 'before');
  await world.join(roomId, bob);
  await world.say(roomId, 'within');
  await world.append(roomId, {
    type: 'm.room.member',
    stateKey: bob,
    content: { membership: 'leave' },
  });
  await world.say(roomId, 'after');
  world.away.delete(them);
  world.clock.pass(60_000);
  await arrives(other, ['lost?']);
  await arrives(roomId, ['within']);
  const kicks = world.arrived
    .flatMap(({ pdus }) => pdus)
    .filter(({ type, room_id: id }) => type === 'm.room.member' && id === roomId);
  assert.deepEqual(
    kicks.map(({ content }) => content['membership']),
    ['leave'],
  );
});

test('after an orderly end nothing is sent twice; after a crash nothing is missing', async () => {
  const roomId = await world.createRoom();
  await world.join(roomId, bob);
  await sayAll(roomId, ['one', 'two']);
  await arrives(roomId, ['one', 'two']);
  await world.restart(true);
  await world.say(roomId, 'three');
  await arrives(roomId, ['one', 'two', 'three']);

  world.onTransaction = () => new Promise(() => undefined);
  await world.say(roomId, 'four');
  await eventually(async () => assert.ok(world.tried.length > 0));
  await world.say(roomId, 'five');
  world.onTransaction = () => undefined;
  await world.restart(false);
  await eventually(async () =>
    assert.deepEqual(
      [...new Set(bodiesFor(world, them, roomId))],
      ['one', 'two', 'three', 'four', 'five'],
    ),
  );
});

test('what is sent first of all is not missing either after a crash', async (t) => {
  const fresh = await openTestSender();
  t.after(() => fresh.close());
  const roomId = await fresh.createRoom();
  await fresh.join(roomId, bob);
  fresh.away.add(them);
  await fresh.say(roomId, 'one');
  await eventually(async () => assert.ok(fresh.backOff.waitMs(them) > 0));
  await fresh.restart(false);
  fresh.away.delete(them);
  fresh.clock.pass(60_000);
  await eventually(async () => assert.deepEqual(bodiesFor(fresh, them, roomId), ['one']));
});

test('a server that is away over a restart is left alone, and gets everything after it', async () => {
  const roomId = await world.createRoom();
  await world.join(roomId, bob);
  world.away.add(them);
  await sayAll(roomId, numbers(3));
  await eventually(async () => assert.ok(world.backOff.waitMs(them) > 0));
  await world.restart(true);
  assert.ok(world.backOff.waitMs(them) > 0);
  await sayAll(roomId, numbers(3, 3));
  world.away.delete(them);
  world.clock.pass(60_000);
  await arrives(roomId, numbers(6));
});

test('what a server will not take is left out, and the rest is sent', async () => {
  const roomId = await world.createRoom();
  await world.join(roomId, bob);
  const gate = Promise.withResolvers<void>();
  const { FederationError } = await import('../federation-client/errors.ts');
  world.onTransaction = async ({ pdus }) => {
    await gate.promise;
    if (!pdus.some(({ content }) => content['body'] === 'bad')) return;
    const answer = { status: 400, body: null };
    throw new FederationError('refused', them, 'it answers 400', { answer });
  };
  await sayAll(roomId, ['a', 'b', 'bad', 'c', 'd']);
  gate.resolve();
  await arrives(roomId, ['a', 'b', 'c', 'd']);
});

test('more than fits into memory is read from the database', async () => {
  const roomId = await world.createRoom();
  await world.join(roomId, bob);
  const gate = Promise.withResolvers<void>();
  world.onTransaction = () => gate.promise;
  const bodies = numbers(1_100);
  await Promise.all(bodies.map((body) => world.say(roomId, body)));
  gate.resolve();
  // As long as it comes on.
  await eventually(() =>
    eventually(async () => assert.equal(bodiesFor(world, them, roomId).length, 1_100)),
  );
  const { rows } = await world.sql.query(
    `select content::json ->> 'body' as body from events join rooms using (room_nid)
     where room_id = $1 and content::json ->> 'body' is not null order by pos`,
    [roomId],
  );
  const inOrder = rows.map(({ body }) => body as string);
  assert.deepEqual(bodiesFor(world, them, roomId), inOrder);
});
