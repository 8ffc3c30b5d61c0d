import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { FederationError } from '../../federation-client/errors.ts';
import { NotCanonical } from '../../matrix/canonical-json.ts';
import { withSignature, type BuiltEvent } from '../../matrix/event-builder.ts';
import { signableText } from '../../matrix/event-format.ts';
import { referencedIds } from '../../matrix/pdu.ts';
import { roomVersion } from '../../matrix/room-versions.ts';
import { users } from '../../matrix/state-resolution/test-rooms.ts';
import { generateSigningKeyLine, parseSigningKey } from '../../matrix/signing.ts';
import { TestPolicyServer } from './test-policy-server.ts';
import { openTestRooms, TwinRoom, type TestRooms, type Wish } from './test-twin-room.ts';

const version = roomVersion('11');
let policyServer = new TestPolicyServer(version);
let rooms: TestRooms;
let room: TwinRoom;

before(async () => {
  rooms = await openTestRooms({
    request: (...question) => policyServer.federation.request(...question),
  });
});
after(() => rooms.close());

const [alice = '', , carol = '', dan = ''] = users;
const message = (body: string) => ({ type: 'm.room.message', content: { body } });

async function setPolicy(content: Wish['content']): Promise<void> {
  await room.append(alice, { type: 'm.room.policy', stateKey: '', content });
}
beforeEach(async () => {
  policyServer = new TestPolicyServer(version);
  room = await TwinRoom.create(rooms, version);
  await setPolicy(policyServer.content());
});
afterEach(() => assert.deepEqual(policyServer.take(), [], 'every question was expected'));

/** An event of another server at the end of the room, or after these. */
function eventOf(sender: string, what: Wish, after: readonly string[] = room.literal.extremities) {
  return room.build(sender, what, after);
}

const receive = (events: BuiltEvent[]) => room.writer.receive({ roomId: room.roomId, events });
const outcomesOf = async (...events: BuiltEvent[]) =>
  (await receive(events)).map(({ outcome }) => outcome);

/** As the other server sends it when it has asked the policy server itself. */
function signed(event: BuiltEvent, key = policyServer.key): BuiltEvent {
  const signature = key.sign(signableText(version, event.pdu));
  return withSignature(version, event, { entity: 'y', keyId: 'ed25519:policy_server', signature });
}

async function stored(eventId: string) {
  const { rows } = await rooms.sql.query(
    'select envelope, status, pos from events where event_id = $1',
    [eventId],
  );
  const { envelope, status, pos } = rows[0]!;
  return { status, pos, signatures: JSON.parse(envelope).signatures };
}

const refuse = () => {
  const answer = { status: 400, body: { errcode: 'M_FORBIDDEN', error: 'Spam' } };
  throw new FederationError('refused', 'y', 'no', { answer });
};

test('an event with a valid signature is accepted without a question', async () => {
  const event = signed(eventOf(carol, message('hello')));
  assert.deepEqual(await outcomesOf(event), ['accepted']);
  assert.deepEqual((await stored(event.eventId)).signatures, event.pdu.signatures);
});

test('for an event without one it is asked for, and stored with the event', async () => {
  const event = eventOf(carol, message('hello'));
  assert.deepEqual(await outcomesOf(event), ['accepted']);
  const [asked] = policyServer.take();
  assert.deepEqual(asked, event.pdu);
  const { signatures } = await stored(event.eventId);
  assert.deepEqual(signatures, signed(event).pdu.signatures);
  assert.deepEqual(await outcomesOf(event), ['known']);
});

test('an invalid signature is replaced: the key may be another by now', async () => {
  const old = parseSigningKey(generateSigningKeyLine('policy_server'));
  const event = eventOf(carol, message('hello'));
  assert.deepEqual(await outcomesOf(signed(event, old)), ['accepted']);
  assert.equal(policyServer.take().length, 1);
  const { signatures } = await stored(event.eventId);
  assert.deepEqual(signatures, signed(event).pdu.signatures);
});

test('what is not recommended is soft-failed: nobody sees it, and nothing follows it', async () => {
  policyServer.answer = refuse;
  const spam = eventOf(carol, message('spam'));
  const [answer] = await receive([spam]);
  assert.equal(answer!.outcome, 'soft_failed');
  assert.match(answer!.reason!, /Spam/);
  assert.deepEqual((await stored(spam.eventId)).pos, null);
  assert.ok(!rooms.published.some(({ row }) => row.event.eventId === spam.eventId));
  const state = eventOf(carol, {
    type: 'm.room.topic',
    stateKey: '',
    content: { topic: 'spam' },
  });
  assert.deepEqual(await outcomesOf(state), ['soft_failed']);
  policyServer.answer = (pdu) => policyServer.signature(pdu);
  policyServer.take();
  const [own] = await room.writer.append({
    roomId: room.roomId,
    events: [{ sender: alice, ...message('on') }],
  });
  const [asked] = policyServer.take();
  assert.deepEqual(referencedIds(asked!.prev_events), room.literal.extremities);
  assert.ok(own!.pos);
});

test('when the policy server does not answer, what is unsigned is soft-failed', async () => {
  policyServer.answer = () => {
    throw new FederationError('unreachable', 'y', 'gone');
  };
  const events = [eventOf(carol, message('a')), signed(eventOf(dan, message('b')))];
  assert.deepEqual(await outcomesOf(...events), ['soft_failed', 'accepted']);
  assert.equal(policyServer.take().length, 1);
});

test('what cannot be asked about is soft-failed, and what comes with it is looked at', async () => {
  policyServer.answer = (pdu) => {
    if (pdu.content['body'] === 'deep') throw new NotCanonical('too deep');
    return policyServer.signature(pdu);
  };
  const events = [eventOf(carol, message('deep')), eventOf(dan, message('b'))];
  assert.deepEqual(await outcomesOf(...events), ['soft_failed', 'accepted']);
  assert.equal(policyServer.take().length, 2);
});

test('state that names the policy server is not checked, and counts for what comes after it', async () => {
  const newKey = parseSigningKey(generateSigningKeyLine('policy_server'));
  const content = { via: 'y', public_keys: { ed25519: newKey.publicKey } };
  const change = eventOf(carol, { type: 'm.room.policy', stateKey: '', content });
  room.literal.add(change.eventId, change.pdu, referencedIds(change.pdu.prev_events));
  const before = signed(eventOf(dan, message('by the new key')), newKey);
  const after = signed(eventOf(dan, message('by the old key')));
  policyServer.answer = refuse;
  assert.deepEqual(await outcomesOf(change, before, after), [
    'accepted',
    'accepted',
    'soft_failed',
  ]);
  // Once under the old key, as far as one could know, and once more under the new one.
  const bodies = policyServer.take().map((asked) => asked.content['body']);
  assert.deepEqual(bodies, ['by the new key', 'by the old key']);
});

test('of events that the room does not let in nobody is asked', async () => {
  const start = room.literal.extremities;
  await room.writer.append({
    roomId: room.roomId,
    events: [
      { sender: alice, type: 'm.room.member', stateKey: dan, content: { membership: 'ban' } },
    ],
  });
  policyServer.take();
  assert.deepEqual(await outcomesOf(eventOf(dan, message('late'), start)), ['soft_failed']);
});

test('many events are asked about side by side', async () => {
  policyServer.hold();
  const events: BuiltEvent[] = [];
  for (let i = 0; i < 10; i++) {
    const event = eventOf(carol, message(`${i}`));
    room.literal.add(event.eventId, event.pdu, referencedIds(event.pdu.prev_events));
    events.push(event);
  }
  const received = outcomesOf(...events);
  for (const question of (await policyServer.questions(10)).toReversed()) question.sign();
  assert.deepEqual(
    await received,
    events.map(() => 'accepted'),
  );
  assert.equal(policyServer.take().length, 10);
  policyServer.answer = () => assert.fail('nobody is asked');
  await room.check();
});

test('a fork is checked as well', async () => {
  const start = room.literal.extremities;
  const own = signed(eventOf(carol, message('one'), start));
  const fork = eventOf(dan, message('two'), start);
  assert.deepEqual(await outcomesOf(own, fork), ['accepted', 'accepted']);
  assert.equal(policyServer.take().length, 1);
  assert.ok((await stored(fork.eventId)).signatures['y']['ed25519:policy_server']);
});

test('without a policy server signatures do not matter', async () => {
  await setPolicy({});
  assert.deepEqual(await outcomesOf(eventOf(carol, message('hello'))), ['accepted']);
});
