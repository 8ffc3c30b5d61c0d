import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { emptyFilter } from '../matrix/filters/filter.ts';
import { roomVersion } from '../matrix/room-versions.ts';
import { users } from '../matrix/state-resolution/test-rooms.ts';
import { openTestRooms, TwinRoom, type TestRooms } from '../rooms/writer/test-twin-room.ts';
import { createRoomLoader } from './load-rooms.ts';
import { newPlan } from './plan.ts';
import { createRoomStateStore } from './store/room-states.ts';
import { createTimelineStore } from './store/timelines.ts';

let rooms: TestRooms;
before(async () => {
  rooms = await openTestRooms();
});
after(() => rooms.close());

const [alice = '', , carol = ''] = users;
const topic = (text: string) => ({
  type: 'm.room.topic',
  stateKey: '',
  content: { topic: text },
});

/** What a client is told of the room that was there at a position. */
async function toldSince(
  room: TwinRoom,
  sincePos: number,
  stateAfter: boolean,
  { isNew = false, timelineLimit = 20 } = {},
) {
  const { row, pos } = rooms.published.at(-1)!;
  const { roomNid } = row.event;
  const plan = newPlan(
    {
      roomNid,
      roomId: room.roomId,
      roomVersion: '11',
      membership: 'join',
      pos: 1,
      joinedPos: 1,
      isJoinedPosExact: true,
      senderNid: 1,
      wasJoined: false,
      isForgotten: false,
      view: null,
    },
    { section: 'join', afterPos: sincePos, uptoPos: pos, isNew, events: null },
  );
  const loader = createRoomLoader(
    createTimelineStore(rooms.database),
    createRoomStateStore(rooms.database),
    async () => new Set(),
  );
  await loader.load([plan], {
    user: { userNid: row.event.senderNid, userId: alice },
    timelineLimit,
    timelineFilter: emptyFilter.room.timeline,
    timelineMatch: null,
    stateFilter: emptyFilter.room.state,
    ignoredUsers: new Set(),
    stateAfter,
    fullState: false,
    isIncremental: !isNew,
    lazyMembers: null,
  });
  return {
    timeline: plan.events!.map(({ eventId }) => eventId),
    state: plan.state.map(({ eventId }) => eventId),
  };
}

test('a state that was lost where forks met is told to those who sync', async () => {
  const room = await TwinRoom.create(rooms, roomVersion('11'));
  await room.append(alice, {
    type: 'm.room.power_levels',
    stateKey: '',
    content: { users: { [alice]: 100, [carol]: 50 } },
  });
  await room.append(alice, topic('of all'));
  const ofAll = room.literal.extremities[0]!;
  const forkedAt = room.literal.extremities;
  // Carol changes the topic, and on another branch alice takes the power to do so away.
  const carols = room.build(carol, topic('of carol'), forkedAt, 5);
  const demotion = room.build(
    alice,
    { type: 'm.room.power_levels', stateKey: '', content: { users: { [alice]: 100 } } },
    forkedAt,
  );
  await room.receive(carols);
  const sincePos = rooms.published.at(-1)!.pos;
  await room.receive(demotion);
  const current = [...room.literal.current().values()];
  assert.ok(current.includes(ofAll) && !current.includes(carols.eventId), 'the topic was lost');

  const before = await toldSince(room, sincePos, false);
  assert.deepEqual(before, { timeline: [demotion.eventId], state: [ofAll] });
  const afterwards = await toldSince(room, sincePos, true);
  assert.deepEqual(afterwards.timeline, [demotion.eventId]);
  assert.deepEqual(afterwards.state.toSorted(), [demotion.eventId, ofAll].toSorted());
  await room.append(alice, { type: 'm.room.message', content: { body: 'on' } });
  const [merge] = room.literal.extremities;
  const since = rooms.published.at(-2)!.pos;
  assert.deepEqual(await toldSince(room, since, false), { timeline: [merge], state: [] });
});

test('who sees a room for the first time finds what a fork has set in the state', async () => {
  const room = await TwinRoom.create(rooms, roomVersion('11'));
  await room.append(alice, {
    type: 'm.room.power_levels',
    stateKey: '',
    content: { users: { [alice]: 100, [carol]: 50 } },
  });
  const late = room.build(carol, topic('on a fork'), room.literal.extremities);
  await room.append(alice, { type: 'm.room.message', content: { body: 'meanwhile' } });
  await room.receive(late);
  const { timeline, state } = await toldSince(room, -1, false, { isNew: true, timelineLimit: 1 });
  assert.deepEqual(timeline, [late.eventId]);
  assert.ok(state.includes(late.eventId));
});
