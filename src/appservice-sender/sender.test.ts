import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import fc from 'fast-check';
import { eventually } from '../../test/harness/eventually.ts';
import { bodiesFor, openTestWorld, serviceOf, type TestWorld } from './test-appservices.ts';

const ghost = '@irc_ghost:us.test';

let world: TestWorld;
before(async () => {
  world = await openTestWorld(['irc', 'xmpp']);
  // Both have begun.
  const roomId = await world.createRoom();
  await eventually(async () => {
    await world.say(roomId, 'begun?', ghost).catch(() => world.move(roomId, ghost, 'join'));
    await world.move(roomId, '@xmpp_ghost:us.test', 'join');
    await eventually(async () => {
      for (const id of ['irc', 'xmpp']) {
        assert.ok(world.arrived.some(({ service }) => service === id));
      }
    }, 10);
  });
});
beforeEach(() => {
  world.arrived.length = 0;
  world.tried.length = 0;
  world.away.clear();
  world.onTransaction = () => undefined;
});
after(() => world.close());

const arrives = (roomId: string, bodies: string[], service = 'irc') =>
  eventually(async () => assert.deepEqual(bodiesFor(world, service, roomId), bodies));

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `${from + i}`);

async function sayAll(roomId: string, bodies: readonly string[]): Promise<void> {
  // oxlint-disable-next-line no-await-in-loop
  for (const body of bodies) await world.say(roomId, body);
}

async function joinedRoom(): Promise<string> {
  const roomId = await world.createRoom();
  await world.move(roomId, ghost, 'join');
  await world.say(roomId, 'ready');
  await arrives(roomId, ['ready']);
  world.arrived.length = 0;
  world.tried.length = 0;
  return roomId;
}

test('a service gets what happens while its users are in a room, and nothing else', async () => {
  const roomId = await world.createRoom();
  await world.say(roomId, 'before');
  await world.move(roomId, ghost, 'join');
  await world.say(roomId, 'one');
  await world.move(roomId, '@irc_other:us.test', 'join');
  await world.move(roomId, ghost, 'leave');
  await world.say(roomId, 'two');
  await world.move(roomId, '@irc_other:us.test', 'leave');
  await world.say(roomId, 'after');
  await world.move(roomId, ghost, 'join');
  await world.say(roomId, 'again');
  await arrives(roomId, ['one', 'two', 'again']);
  assert.deepEqual(bodiesFor(world, 'xmpp', roomId), []);
});

test('the same holds for a service that is caught up from the database', async () => {
  const roomId = await joinedRoom();
  await world.restart(true);
  // Nobody sends: what comes now is nowhere in memory.
  await world.sender.stop();
  await world.say(roomId, 'one');
  await world.move(roomId, ghost, 'leave');
  await world.say(roomId, 'between');
  await world.move(roomId, ghost, 'join');
  await world.say(roomId, 'two');
  await world.restart(false);
  await arrives(roomId, ['one', 'two']);
});

test('pauses grow; the transaction stays the same; what comes meanwhile follows in order', async () => {
  const roomId = await joinedRoom();
  world.away.add('irc');
  await world.say(roomId, '0');
  await eventually(async () => assert.equal(world.tried.length, 1));
  await sayAll(roomId, numbers(4, 1));
  for (const [i, seconds] of [2, 4, 8, 16].entries()) {
    world.clock.pass((seconds - 1) * 1_000);
    // oxlint-disable-next-line no-await-in-loop -- others are sent to meanwhile
    await new Promise((resolve) => void setTimeout(resolve, 0));
    assert.equal(world.tried.length, i + 1, `not before ${seconds} s`);
    world.clock.pass(1_000);
    // oxlint-disable-next-line no-await-in-loop
    await eventually(async () => assert.equal(world.tried.length, i + 2));
  }
  assert.equal(new Set(world.tried).size, 1, 'one and the same');
  world.away.clear();
  world.sender.answers('irc');
  await arrives(roomId, numbers(5));
  assert.deepEqual(
    world.arrived.map(({ events }) => events.length),
    [1, 4],
  );
  assert.equal(`irc ${world.arrived[0]!.txnId}`, world.tried[0]);
});

test('a slow service does not hold up another', async () => {
  const roomId = await joinedRoom();
  await world.move(roomId, '@xmpp_ghost:us.test', 'join');
  const answered = Promise.withResolvers<void>();
  world.onTransaction = ({ service }) => (service === 'irc' ? answered.promise : undefined);
  await sayAll(roomId, numbers(3));
  await arrives(roomId, numbers(3), 'xmpp');
  assert.deepEqual(bodiesFor(world, 'irc', roomId), []);
  answered.resolve();
  await arrives(roomId, numbers(3));
});

test('what a dead process was sending comes again under its id, and nothing is lost', async () => {
  const roomId = await joinedRoom();
  // It arrives, and the process dies before it hears of that.
  world.onTransaction = () => {
    world.process.isKilled = true;
  };
  await world.say(roomId, '0');
  await arrives(roomId, ['0']);
  await sayAll(roomId, numbers(3, 1));
  world.onTransaction = () => undefined;
  await world.restart(false);
  await arrives(roomId, ['0', '0', '1', '2', '3']);
  const [first, second, ...others] = world.arrived.filter(({ service }) => service === 'irc');
  assert.equal(first!.txnId, second!.txnId);
  const ids = (one: typeof first) => one!.events.map(({ event_id: id }) => id);
  assert.deepEqual(ids(first), ids(second));
  assert.ok(others.every(({ txnId }) => Number(txnId) > Number(first!.txnId)));
});

test('a process that dies before anything arrives loses nothing', async () => {
  const roomId = await joinedRoom();
  world.process.isKilled = true;
  await sayAll(roomId, numbers(250));
  await world.restart(false);
  await arrives(roomId, numbers(250));
  assert.ok(world.arrived.every(({ events }) => events.length <= 100));
});

test('large events make small transactions', async () => {
  const roomId = await joinedRoom();
  world.away.add('irc');
  await world.say(roomId, 'first');
  const large = Array.from({ length: 40 }, (_, i) => `${i}`.padEnd(50_000, '.'));
  await sayAll(roomId, large);
  world.away.clear();
  world.sender.answers('irc');
  await arrives(roomId, ['first', ...large]);
  assert.ok(world.arrived.every(({ body }) => body.length < 1_200_000));
  assert.ok(world.arrived.length >= 3);
});

test('a service that is registered gets what comes from then on; one that is not, nothing', async () => {
  const roomId = await world.createRoom();
  await world.move(roomId, '@new_ghost:us.test', 'join');
  await world.say(roomId, 'before');
  const [irc, xmpp] = world.registrations.all;
  world.registrations.replace([irc!, xmpp!, serviceOf('new')]);
  await eventually(async () => {
    await world.say(roomId, 'with it');
    await eventually(async () => assert.ok(bodiesFor(world, 'new', roomId).length > 0), 10);
  });
  assert.ok(bodiesFor(world, 'new', roomId).every((body) => body === 'with it'));
  await world.move(roomId, ghost, 'join');
  world.registrations.replace([irc!, xmpp!]);
  await world.say(roomId, 'without it');
  await arrives(roomId, ['without it']);
  assert.ok(!bodiesFor(world, 'new', roomId).includes('without it'));
  // It was away, that is all.
  world.registrations.replace([irc!, xmpp!, serviceOf('new')]);
  await eventually(async () => assert.equal(bodiesFor(world, 'new', roomId).at(-1), 'without it'));
});

test('metrics count by service', async () => {
  const roomId = await joinedRoom();
  await world.say(roomId, 'counted');
  await arrives(roomId, ['counted']);
  const text = await world.metrics.registry.metrics();
  for (const name of ['events', 'transactions']) {
    const line = new RegExp(
      `^synapse_appservice_api_sent_${name}_total\\{service="irc"\\} [1-9]`,
      'm',
    );
    assert.match(text, line);
  }
});

/** The last try of each transaction counts: a service passes over what comes again. */
const onceIn = (roomId: string) => {
  const newest = new Map(world.arrived.map((one) => [`${one.service} ${one.txnId}`, one]));
  return bodiesFor({ ...world, arrived: [...newest.values()] }, 'irc', roomId);
};

test('whoever comes, goes or dies, a service gets all of it once, in order, and nothing else', async () => {
  const steps = fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.constant('say' as const) },
      { weight: 3, arbitrary: fc.constantFrom('@irc_a:us.test', '@irc_b:us.test') },
      { weight: 1, arbitrary: fc.constantFrom('end' as const, 'kill' as const) },
      { weight: 1, arbitrary: fc.constant('away' as const) },
    ),
    { minLength: 5, maxLength: 40 },
  );
  const run = async (todo: readonly string[]) => {
    world.arrived.length = 0;
    world.away.clear();
    const roomId = await world.createRoom();
    const there = new Set<string>();
    const expected: string[] = [];
    for (const [i, step] of [...todo, '@irc_last:us.test', 'say'].entries()) {
      // oxlint-disable no-await-in-loop -- one after the other
      if (step === 'say') {
        await world.say(roomId, `${i}`);
        if (there.size > 0) expected.push(`${i}`);
      } else if (step.startsWith('@')) {
        await world.move(roomId, step, there.has(step) ? 'leave' : 'join');
        if (!there.delete(step)) there.add(step);
      } else if (step === 'away') {
        if (!world.away.delete('irc')) world.away.add('irc');
      } else {
        world.process.isKilled = step === 'kill';
        await world.restart(step === 'end');
      }
      // oxlint-enable no-await-in-loop
    }
    world.away.clear();
    await eventually(async () => {
      world.sender.answers('irc');
      assert.deepEqual(onceIn(roomId), expected);
    });
  };
  await fc.assert(fc.asyncProperty(steps, run), { numRuns: 25, endOnFailure: true });
});
