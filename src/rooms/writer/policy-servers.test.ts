import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, mock, test } from 'node:test';
import { FederationError, type FederationFailure } from '../../federation-client/errors.ts';
import { canonicalJson, NotCanonical } from '../../matrix/canonical-json.ts';
import { joinPdu } from '../../matrix/event-builder.ts';
import { eventBytesMax } from '../../matrix/event-format.ts';
import { referencedIds, type JsonObject, type Pdu } from '../../matrix/pdu.ts';
import { isSignedByPolicyServer, policyIn } from '../../matrix/policy-server.ts';
import { roomVersion } from '../../matrix/room-versions.ts';
import { users } from '../../matrix/state-resolution/test-rooms.ts';
import { generateSigningKeyLine, parseSigningKey } from '../../matrix/signing.ts';
import { TestPolicyServer } from './test-policy-server.ts';
import { openTestRooms, TwinRoom, type TestRooms } from './test-twin-room.ts';

let policyServer = new TestPolicyServer(roomVersion('11'));
let rooms: TestRooms;
let room: TwinRoom;

before(async () => {
  rooms = await openTestRooms({
    request: (...question) => policyServer.federation.request(...question),
  });
});
after(() => rooms.close());

const [alice = '', bob = '', carol = '', dan = ''] = users;
const message = (body: string) => ({ type: 'm.room.message', content: { body } });
const member = (userId: string, membership: string) => ({
  type: 'm.room.member',
  stateKey: userId,
  content: { membership },
});

interface Wish {
  type: string;
  stateKey?: string;
  content: JsonObject;
}
const append = async (what: Wish, sender = alice, more = {}) => {
  const request = { roomId: room.roomId, events: [{ sender, ...what }], ...more };
  return (await room.writer.append(request))[0]!;
};
const setPolicy = (content: JsonObject) => append({ type: 'm.room.policy', stateKey: '', content });

/** A room of version 11 unless said otherwise that uses the policy server of `y`. */
async function openRoom(version = '11'): Promise<void> {
  policyServer = new TestPolicyServer(roomVersion(version));
  room = await TwinRoom.create(rooms, roomVersion(version));
  await setPolicy(policyServer.content());
  await append({ type: 'm.room.message', content: {} });
  policyServer.take();
}
beforeEach(() => openRoom());
afterEach(() => assert.deepEqual(policyServer.take(), [], 'every question was expected'));

/** The room's events as they are stored, and will be sent to others. */
async function stored(): Promise<{ eventId: string; pdu: Pdu }[]> {
  const { rows } = await rooms.sql.query(
    `select event_id, content, envelope, content_at
     from events join rooms using (room_nid) where room_id = $1 order by event_nid`,
    [room.roomId],
  );
  return rows.map((row) => ({
    eventId: row.event_id,
    pdu: JSON.parse(joinPdu(row.envelope, row.content_at, row.content)) as Pdu,
  }));
}

/** Events of others can follow what is stored by now. */
async function catchUp(): Promise<void> {
  for (const { eventId, pdu } of await stored()) {
    if (room.literal.events.has(eventId)) continue;
    room.literal.add(eventId, pdu, referencedIds(pdu.prev_events));
  }
}

const bodies = async () => (await stored()).map(({ pdu }) => pdu.content['body']).filter(Boolean);

for (const version of ['1', '6', '11', '12']) {
  test(`an event is stored with the policy server's signature, room version ${version}`, async () => {
    await openRoom(version);
    const { eventId } = await append(message('hello'));
    const [asked] = policyServer.asked;
    assert.equal(asked!.destination, 'y');
    assert.deepEqual(Object.keys(asked!.pdu.signatures), ['x']);
    const last = (await stored()).at(-1)!;
    assert.equal(last.eventId, eventId);
    const { signatures, ...rest } = last.pdu;
    const { signatures: own, ...sent } = asked!.pdu;
    assert.deepEqual(rest, sent);
    assert.deepEqual(signatures['x'], own['x']);
    assert.deepEqual(Object.keys(signatures['y']!), ['ed25519:policy_server']);
    const policy = policyIn(policyServer.content())!;
    assert.ok(isSignedByPolicyServer(roomVersion(version), last.pdu, policy));
    policyServer.take();
  });
}

test('all events are checked, but for the state that names the policy server', async () => {
  await setPolicy({ ...policyServer.content(), more: 1 });
  assert.equal(policyServer.asked.length, 0);
  const checked: Wish[] = [
    { type: 'm.room.policy', stateKey: 'other', content: {} },
    { type: 'm.room.policy', content: {} },
    { type: 'm.room.topic', stateKey: '', content: { topic: 'a' } },
    member(bob, 'ban'),
  ];
  for (const what of checked) {
    // oxlint-disable-next-line no-await-in-loop
    await append(what);
    assert.deepEqual(policyServer.take()[0]!.type, what.type);
  }
});

test('a refusal reaches the sender word for word, and nothing of the event stays', async () => {
  const body = { errcode: 'M_SAFETY', error: 'Spam', more: { a: 1 } };
  policyServer.answer = () => {
    throw new FederationError('refused', 'y', 'no', { answer: { status: 400, body } });
  };
  const before = await stored();
  const topic = { type: 'm.room.topic', stateKey: '', content: { topic: 'spam' } };
  await assert.rejects(append(topic), (error: { status: number; body(): unknown }) => {
    assert.equal(error.status, 400);
    assert.deepEqual(error.body(), body);
    return true;
  });
  policyServer.answer = (pdu) => policyServer.signature(pdu);
  await append(message('after'));
  const events = await stored();
  assert.deepEqual(events.slice(0, -1), before);
  assert.deepEqual(referencedIds(events.at(-1)!.pdu.prev_events), [before.at(-1)!.eventId]);
  policyServer.take();
});

test('without a valid signature an event is not sent', async () => {
  const failure = (reason: FederationFailure, status?: number, body: JsonObject | null = null) => {
    throw new FederationError(reason, 'y', 'no', status ? { answer: { status, body } } : {});
  };
  const otherKey = parseSigningKey(generateSigningKeyLine('policy_server'));
  const notCanonical = () => {
    throw new NotCanonical('too deep to be asked about');
  };
  const before = await stored();
  const answers: [() => JsonObject, number, string][] = [
    [() => ({}), 403, 'M_FORBIDDEN'],
    [() => ({ y: { 'ed25519:policy_server': 'AAAA' } }), 403, 'M_FORBIDDEN'],
    [() => ({ y: ['ed25519:policy_server'] }), 403, 'M_FORBIDDEN'],
    [() => policyServer.signature(policyServer.asked.at(-1)!.pdu, otherKey), 403, 'M_FORBIDDEN'],
    [() => failure('refused', 404, { errcode: 'M_NOT_FOUND' }), 404, 'M_NOT_FOUND'],
    [() => failure('refused', 500, { errcode: 'M_UNKNOWN' }), 500, 'M_UNKNOWN'],
    [() => failure('refused', 502), 502, 'M_UNKNOWN'],
    [() => failure('unreachable'), 502, 'M_UNKNOWN'],
    [() => failure('backing_off'), 502, 'M_UNKNOWN'],
    [() => failure('bad_answer'), 502, 'M_UNKNOWN'],
    [() => failure('timeout'), 504, 'M_UNKNOWN'],
    [() => failure('denied'), 403, 'M_FORBIDDEN'],
    [() => failure('blocked'), 403, 'M_FORBIDDEN'],
    [notCanonical, 400, 'M_BAD_JSON'],
    // A policy server does not log users out.
    [() => failure('refused', 401, { errcode: 'M_UNKNOWN_TOKEN' }), 502, 'M_UNKNOWN'],
    [() => failure('refused', 403, { errcode: 'M_USER_LOCKED' }), 502, 'M_UNKNOWN'],
  ];
  for (const [answer, status, code] of answers) {
    policyServer.answer = answer;
    // oxlint-disable-next-line no-await-in-loop
    await assert.rejects(append(message('no')), { status, code });
  }
  assert.deepEqual(await stored(), before);
  assert.equal(policyServer.take().length, answers.length);
});

test('a signature that makes the event too large does so for the sender', async () => {
  // The depth has two digits from here on.
  for (let depth = 0; depth < 10; depth = policyServer.take()[0]!.depth) {
    // oxlint-disable-next-line no-await-in-loop
    await append(message('x'));
  }
  const { pdu } = (await stored()).at(-1)!;
  const most = 'x'.repeat(eventBytesMax - canonicalJson(pdu as unknown as JsonObject).length + 1);
  await append(message(most));
  await assert.rejects(append(message(`${most}x`)), { code: 'M_TOO_LARGE' });
  const [, refused] = policyServer.take();
  assert.equal(refused!.content['body'], `${most}x`);
});

test('a room uses the policy server while it names one that has a user there', async () => {
  await append(member(carol, 'ban'));
  await append(message('dan is there'));
  assert.equal(policyServer.take().length, 2);
  await append(member(dan, 'ban'));
  assert.equal(policyServer.take().length, 1);
  await append(message('nobody is there'));
  await append(member(carol, 'leave'));
  await append(message('still nobody'));
  assert.equal(policyServer.take().length, 0);
  await catchUp();
  await room.receive(room.build(carol, member(carol, 'join'), room.literal.extremities));
  await append(message('carol is back'));
  assert.equal(policyServer.take().length, 1);
  // A process that has just started knows nobody.
  room.writer = rooms.freshWriter();
  await append(message('on'));
  assert.equal(policyServer.take().length, 1);
  await setPolicy(policyServer.content('z'));
  await append(message('of a server without users'));
  const { public_keys: keys = null } = policyServer.content();
  const invalid: JsonObject[] = [
    {},
    { via: 'y' },
    { via: 1, public_keys: keys },
    { via: 'y', public_keys: { ed25519: 1 } },
    { via: 'y', public_keys: [] },
    { public_keys: keys },
  ];
  for (const content of invalid) {
    // oxlint-disable-next-line no-await-in-loop
    await setPolicy(content);
    // oxlint-disable-next-line no-await-in-loop
    await append(message('of none'));
  }
});

test('events ask side by side and come into the room in the order in which they were made', async () => {
  policyServer.hold();
  const sends = ['1', '2', '3'].map((body) => append(message(body)));
  const questions = await policyServer.questions(3);
  for (const question of questions.toReversed()) question.sign();
  await Promise.all(sends);
  assert.deepEqual(await bodies(), ['1', '2', '3']);
  const events = (await stored()).slice(-3);
  assert.deepEqual(referencedIds(events[1]!.pdu.prev_events), [events[0]!.eventId]);
  assert.deepEqual(referencedIds(events[2]!.pdu.prev_events), [events[1]!.eventId]);
  assert.equal(policyServer.take().length, 3);
});

test('what stands on a refused event is made anew, without it', async () => {
  policyServer.hold();
  const refused = assert.rejects(append(message('1')), { status: 403 });
  const sends = ['2', '3'].map((body) => append(message(body)));
  const [first, second, third] = await policyServer.questions(3);
  third!.sign();
  second!.sign();
  const answer = { status: 403, body: { errcode: 'M_FORBIDDEN', error: 'no' } };
  first!.fail(new FederationError('refused', 'y', 'no', { answer }));
  await refused;
  for (const question of await policyServer.questions(2)) question.sign();
  await Promise.all(sends);
  assert.deepEqual(await bodies(), ['2', '3']);
  assert.equal(policyServer.take().length, 5);
});

test('who is banned by an event that is refused may speak', async () => {
  policyServer.hold();
  const ban = assert.rejects(append(member(bob, 'ban')), { code: 'M_FORBIDDEN' });
  const speech = append(message('still here'), bob);
  const [question] = await policyServer.questions(1);
  const answer = { status: 403, body: { errcode: 'M_FORBIDDEN', error: 'no' } };
  question!.fail(new FederationError('refused', 'y', 'no', { answer }));
  await ban;
  const [again] = await policyServer.questions(1);
  again!.sign();
  await speech;
  assert.deepEqual(await bodies(), ['still here']);
  assert.equal(policyServer.take().length, 2);
});

test('what others send meanwhile comes before, and in the end waits', async () => {
  await catchUp();
  policyServer.hold();
  const own = append(message('own'));
  for (let round = 1; round <= 2; round++) {
    // oxlint-disable-next-line no-await-in-loop
    const [question] = await policyServer.questions(1);
    const other = room.build(carol, message(`other ${round}`), room.literal.extremities);
    room.literal.add(other.eventId, other.pdu, referencedIds(other.pdu.prev_events));
    const received = room.writer.receive({ roomId: room.roomId, events: [other] });
    // oxlint-disable-next-line no-await-in-loop
    const [ofOther] = await policyServer.questions(1);
    ofOther!.sign();
    // oxlint-disable-next-line no-await-in-loop
    assert.equal((await received)[0]!.outcome, 'accepted');
    question!.sign();
  }
  const [last] = await policyServer.questions(1);
  const late = room.build(carol, message('late'), room.literal.extremities);
  const received = room.writer.receive({ roomId: room.roomId, events: [late] });
  const [ofLate] = await policyServer.questions(1);
  ofLate!.sign();
  last!.sign();
  await own;
  assert.equal((await received)[0]!.outcome, 'accepted');
  assert.deepEqual(await bodies(), ['other 1', 'other 2', 'own', 'late']);
  assert.equal(policyServer.take().length, 6);
});

test('while an event waits, other rooms go on, and the policy server can be dismissed', async () => {
  policyServer.hold();
  const waiting = append(message('waiting'));
  const [question] = await policyServer.questions(1);
  const other = await TwinRoom.create(rooms, roomVersion('11'));
  const request = { roomId: other.roomId, events: [{ sender: alice, ...message('other') }] };
  await other.writer.append(request);
  await setPolicy({});
  await append(message('free'));
  question!.sign();
  await waiting;
  assert.deepEqual(await bodies(), ['free', 'waiting']);
  assert.deepEqual(Object.keys((await stored()).at(-1)!.pdu.signatures), ['x']);
  assert.equal(policyServer.take().length, 1);
});

test('appends that wait are bounded', async () => {
  policyServer.hold();
  const sends = Array.from({ length: 64 }, (_, i) => append(message(`${i}`)));
  const questions = await policyServer.questions(64);
  await assert.rejects(append(message('too many')), { code: 'M_LIMIT_EXCEEDED' });
  for (const question of questions) question.sign();
  await Promise.all(sends);
  assert.equal((await bodies()).length, 64);
  assert.equal(policyServer.take().length, 64);
});

test('who is signed waits only so long for those before, and those after go on', async () => {
  policyServer.hold();
  const never = append(message('slow'));
  const late = assert.rejects(append(message('late')), { code: 'M_UNKNOWN', status: 504 });
  const [first, second] = await policyServer.questions(2);
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    second!.sign();
    const state = { isOver: false };
    void late.finally(() => (state.isOver = true));
    for (let s = 0; s < 60 && !state.isOver; s++) {
      mock.timers.tick(1_000);
      // oxlint-disable-next-line no-await-in-loop
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(state.isOver);
    await late;
  } finally {
    mock.timers.reset();
  }
  first!.sign();
  await never;
  const next = append(message('next'));
  const [third] = await policyServer.questions(1);
  third!.sign();
  await next;
  assert.deepEqual(await bodies(), ['slow', 'next']);
  assert.equal(policyServer.take().length, 3);
});

test('a repeated request has its effect once, whatever the policy server says by then', async () => {
  const transaction = { deviceNid: 1, txnId: 't', scope: 'send' };
  const first = await append(message('once'), alice, { transaction });
  policyServer.answer = () => ({});
  const again = await append(message('once'), alice, { transaction });
  assert.equal(again.eventId, first.eventId);
  assert.deepEqual(await bodies(), ['once']);
  assert.equal(policyServer.take().length, 2);
});

test('a redaction that is signed empties its target', async () => {
  const { eventId } = await append(message('secret'));
  await append({ type: 'm.room.redaction', content: { redacts: eventId } });
  assert.deepEqual((await stored()).at(-2)!.pdu.content, {});
  assert.equal(policyServer.take().length, 2);
});

const state = (type: string, content: JsonObject, stateKey = '') => ({
  sender: alice,
  type,
  stateKey,
  content,
});
/** A room that uses a policy server from its beginning on. */
const newRoom = (policy: JsonObject, alias: string | null = null) => ({
  roomVersion: '11',
  creator: alice,
  createContent: {},
  events: [
    state('m.room.member', { membership: 'join' }, alice),
    state('m.room.policy', policy),
    state('m.room.topic', { topic: 'a' }),
  ],
  alias,
  isPublic: false,
});

test('a room that could not be stored together with others is not signed again', async () => {
  const own = new TestPolicyServer(roomVersion('11'), 'x');
  policyServer = own;
  const taken = `#${crypto.randomUUID()}:x`;
  await room.writer.create(newRoom({}, taken));
  own.hold();
  const refused = assert.rejects(room.writer.create(newRoom(own.content(), taken)), {
    code: 'M_ROOM_IN_USE',
  });
  const made = room.writer.create(newRoom(own.content()));
  const questions = await own.questions(2);
  own.answer = (pdu) => own.signature(pdu);
  for (const question of questions) question.sign();
  await refused;
  await made;
  assert.equal(own.take().length, 2);
});

test('a room may use the policy server of its own server from the first events on', async () => {
  const own = new TestPolicyServer(roomVersion('11'), 'x');
  policyServer = own;
  const roomId = await room.writer.create(newRoom(own.content()));
  assert.deepEqual(
    own.take().map(({ type }) => type),
    ['m.room.topic'],
  );
  room = Object.assign(Object.create(room) as TwinRoom, { roomId });
  const { signatures } = (await stored()).at(-1)!.pdu;
  // The server's own signature stays beside that of its policy server.
  assert.deepEqual(Object.keys(signatures['x']!).toSorted(), [
    'ed25519:policy_server',
    'ed25519:test',
  ]);
  await append(message('hello'));
  assert.equal(own.take().length, 1);
  await room.writer.create(newRoom(new TestPolicyServer(roomVersion('11')).content()));
  own.answer = () => ({});
  await assert.rejects(room.writer.create(newRoom(own.content())), { code: 'M_FORBIDDEN' });
  own.take();
});
