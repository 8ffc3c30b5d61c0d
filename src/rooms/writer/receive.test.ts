import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { BuiltEvent } from '../../matrix/event-builder.ts';
import { referencedIds } from '../../matrix/pdu.ts';
import { roomVersion } from '../../matrix/room-versions.ts';
import { users } from '../../matrix/state-resolution/test-rooms.ts';
import { openTestRooms, TwinRoom, type TestRooms } from './test-twin-room.ts';

let rooms: TestRooms;
before(async () => {
  rooms = await openTestRooms();
});
after(() => rooms.close());

const [alice = '', , carol = '', dan = ''] = users;
const version = roomVersion('11');
const message = (body: string) => ({ type: 'm.room.message', content: { body } });
const redactionOf = (id: string) => ({ type: 'm.room.redaction', content: { redacts: id } });
const ban = { type: 'm.room.member', stateKey: dan, content: { membership: 'ban' } };

const outcomesOf = async (room: TwinRoom, events: BuiltEvent[]) =>
  (await room.writer.receive({ roomId: room.roomId, events })).map(({ outcome }) => outcome);

/** Events that follow each other; the twin knows them already. */
function chain(room: TwinRoom, length: number): BuiltEvent[] {
  return Array.from({ length }, (_, i) => {
    const event = room.build(carol, message(`${i}`), room.literal.extremities);
    room.literal.add(event.eventId, event.pdu, referencedIds(event.pdu.prev_events));
    return event;
  });
}

async function stored(eventId: string) {
  const { rows } = await rooms.sql.query(
    'select content, redacted_by, status, pos, unsigned from events where event_id = $1',
    [eventId],
  );
  return rows[0];
}

test('events that follow each other are taken in together, and known when they come again', async () => {
  const room = await TwinRoom.create(rooms, version);
  const events = chain(room, 20);
  const both = await Promise.all([outcomesOf(room, events), outcomesOf(room, events.slice(0, 5))]);
  const all = both.flat();
  assert.equal(all.filter((outcome) => outcome === 'accepted').length, 20);
  assert.equal(all.filter((outcome) => outcome === 'known').length, 5);
  await room.check();
});

test('what an event names must be there before it', async () => {
  const room = await TwinRoom.create(rooms, version);
  const [first, second] = chain(room, 2) as [BuiltEvent, BuiltEvent];
  const answer = await room.writer.receive({ roomId: room.roomId, events: [second, first] });
  assert.deepEqual(
    answer.map(({ outcome, missing }) => [outcome, missing]),
    [
      ['missing', [first.eventId]],
      ['accepted', []],
    ],
  );
  assert.deepEqual(await outcomesOf(room, [second]), ['accepted']);
  await room.check();
  const unknown = room.writer.receive({ roomId: '!nowhere:y', events: [first] });
  await assert.rejects(unknown, { code: 'M_NOT_FOUND' });
});

test('our own events and those of others come together, and end in one', async () => {
  const room = await TwinRoom.create(rooms, version);
  const start = room.literal.extremities;
  const forks = Array.from({ length: 30 }, (_, i) =>
    room.build(i % 2 === 0 ? carol : dan, message(`${i}`), start),
  );
  const own = Array.from({ length: 30 }, (_, i) =>
    room.writer.append({
      roomId: room.roomId,
      events: [{ sender: alice, ...message(`own ${i}`) }],
    }),
  );
  const outcomes = await Promise.all(forks.map((event) => outcomesOf(room, [event])));
  await Promise.all(own);
  assert.deepEqual(new Set(outcomes.flat()), new Set(['accepted']));
  const { rows: marked } = await rooms.sql.query(
    `select count(*)::int from room_extremities join rooms using (room_nid) where room_id = $1`,
    [room.roomId],
  );
  const extremities = async () => {
    const { rows: ends } = await rooms.sql.query(
      `select e.event_id from events e join rooms using (room_nid) where room_id = $1
         and not exists (select from events o where o.room_nid = e.room_nid
           and o.envelope like '%"prev_events":[%' || e.event_id || '%')`,
      [room.roomId],
    );
    return ends.length;
  };
  const count = await extremities();
  assert.equal(marked[0].count, count === 1 ? 0 : count);
  // An event names twenty at most; what is left over stays for the next.
  for (let left = count; left > 1; left = await extremities()) {
    // oxlint-disable-next-line no-await-in-loop
    await room.writer.append({
      roomId: room.roomId,
      events: [{ sender: alice, ...message('end') }],
    });
  }
  room.writer = rooms.freshWriter();
  await room.writer.append({ roomId: room.roomId, events: [{ sender: alice, ...message('on') }] });
  assert.equal(await extremities(), 1);
});

test('who is banned can go on nowhere else: what is made there is soft-failed, and seen by nobody', async () => {
  const room = await TwinRoom.create(rooms, version);
  const start = room.literal.extremities;
  await room.append(alice, ban);
  const late = room.build(dan, message('still here'), start);
  const [answer] = await room.writer.receive({ roomId: room.roomId, events: [late] });
  assert.equal(answer!.outcome, 'soft_failed');
  assert.equal((await stored(late.eventId)).pos, null);
  const told = rooms.published.some(({ row }) => row.event.eventId === late.eventId);
  assert.equal(told, false);
  // After the ban it is not even that.
  const after = room.build(dan, message('still here'), room.literal.extremities);
  const [refused] = await room.writer.receive({ roomId: room.roomId, events: [after] });
  assert.equal(refused!.outcome, 'rejected');
  assert.match(refused!.reason!, /not in room/);
});

test('a redaction empties its target, whichever of them comes first', async () => {
  const room = await TwinRoom.create(rooms, version);
  const start = room.literal.extremities;
  const target = room.build(carol, message('secret'), start);
  room.literal.add(target.eventId, target.pdu, start);
  const redaction = room.build(carol, redactionOf(target.eventId), start);
  const stranger = room.build(dan, redactionOf(target.eventId), start, 2);
  assert.deepEqual(await outcomesOf(room, [stranger, redaction, target]), [
    'accepted',
    'accepted',
    'accepted',
  ]);
  const first = await stored(target.eventId);
  assert.deepEqual([first.content, first.redacted_by], ['{}', redaction.eventId]);
  assert.match(first.unsigned, /"redacted_because":/);
  const row = rooms.published.findLast((one) => one.row.event.eventId === target.eventId);
  assert.equal(row!.row.event.content, '{}');

  const later = room.build(dan, message('secret too'), [target.eventId]);
  room.literal.add(later.eventId, later.pdu, [target.eventId]);
  const moderated = room.build(alice, redactionOf(later.eventId), [later.eventId]);
  await outcomesOf(room, [later, moderated]);
  const second = await stored(later.eventId);
  assert.deepEqual([second.content, second.redacted_by], ['{}', moderated.eventId]);
  const redacted = rooms.published.findLast((one) => one.row.event.eventId === moderated.eventId);
  assert.equal(redacted!.row.redacted!.eventId, later.eventId);
});

test('a redaction that comes together with its target empties it', async () => {
  const room = await TwinRoom.create(rooms, version);
  const [target] = chain(room, 1) as [BuiltEvent];
  const redaction = room.build(carol, redactionOf(target.eventId), [target.eventId]);
  assert.deepEqual(await outcomesOf(room, [target, redaction]), ['accepted', 'accepted']);
  const { content, redacted_by: redactedBy } = await stored(target.eventId);
  assert.deepEqual([content, redactedBy], ['{}', redaction.eventId]);
});

test('auth events that are not the right ones reject an event, and what stands on it', async () => {
  const room = await TwinRoom.create(rooms, version);
  const start = room.literal.extremities;
  const topic = { type: 'm.room.topic', stateKey: '', content: { topic: 'mine' } };
  const wrong = room.build(carol, topic, start);
  const [joined] = [...room.literal.current()].filter(([key]) => key.endsWith(dan));
  wrong.pdu.auth_events.push(joined![1]);
  assert.deepEqual(await outcomesOf(room, [wrong]), ['rejected']);
  room.literal.add(wrong.eventId, wrong.pdu, start);
  const above = room.build(carol, message('on top'), start);
  above.pdu.auth_events.push(wrong.eventId);
  assert.deepEqual(await outcomesOf(room, [above]), ['rejected']);
  // A rejected event may be followed: the state there is as it was before it.
  const next = room.build(carol, message('next'), [wrong.eventId]);
  assert.deepEqual(await outcomesOf(room, [next]), ['accepted']);
});
