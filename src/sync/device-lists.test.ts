import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import type { StoredEvent } from '../rooms/module.ts';
import { createDeviceLists } from './device-lists.ts';
import type { SharingRow, SharingWanted } from './store/sharing.ts';
import { RoomView } from './views/room-view.ts';
import { UserView, type RoomOfUser } from './views/user-view.ts';

const start = 10;
let user: UserView;
let askedChanges: number;
let askedSharing: SharingWanted[];
let changed: string[];
let sharing: SharingRow[];

beforeEach(() => {
  user = new UserView(1, '@reader:test', start);
  askedChanges = 0;
  askedSharing = [];
  changed = [];
  sharing = [];
});

const lists = (afterPos: number, uptoPos: number) =>
  createDeviceLists(
    {
      changed() {
        askedChanges++;
        return changed;
      },
    },
    {
      async sharing(wanted) {
        askedSharing.push(wanted);
        return sharing;
      },
    },
  )(user, afterPos, uptoPos);

const newView = (roomNid: number, position: number) =>
  new RoomView({ roomNid, roomId: `!${roomNid}`, roomVersion: '11' }, position, 0);

function addRoom(roomNid: number, wish: Partial<RoomOfUser> = {}): RoomOfUser {
  const room: RoomOfUser = {
    roomNid,
    roomId: `!${roomNid}`,
    roomVersion: '11',
    membership: 'join',
    pos: 1,
    joinedPos: 1,
    isJoinedPosExact: true,
    senderNid: 1,
    wasJoined: false,
    isForgotten: false,
    view: wish.membership ? null : newView(roomNid, start),
    ...wish,
  };
  user.rooms.set(roomNid, room);
  return room;
}

function memberEvent(pos: number, userId: string, from: string, to: string): StoredEvent {
  return {
    roomNid: 1,
    eventNid: pos,
    pos,
    sub: 0,
    eventId: `$${pos}`,
    typeNid: 1,
    type: 'm.room.member',
    stateKey: userId,
    sender: userId,
    senderNid: 9,
    originServerTs: 0,
    content: JSON.stringify({ membership: to }),
    unsigned: `"prev_content":{"membership":"${from}"}`,
    deviceNid: null,
    txnId: null,
    redactedBy: null,
    redacts: null,
    isForked: false,
    isAfterGap: false,
  };
}

test('without news nothing is asked', () => {
  const room = addRoom(1);
  addRoom(2, { membership: 'leave', pos: 5, wasJoined: true });
  assert.deepEqual(lists(start, 20), { changed: [], left: [] });
  room.view!.append(memberEvent(12, '@renamed:test', 'join', 'join'));
  room.view!.append(memberEvent(13, '@invited:test', 'leave', 'invite'));
  room.view!.append(memberEvent(14, '@declined:test', 'invite', 'leave'));
  assert.deepEqual(lists(start, 20), { changed: [], left: [] });
  assert.equal(askedChanges + askedSharing.length, 0);
});

test('a change that came before the view is asked for, as is one that concerns the user', async () => {
  await lists(start - 1, 20);
  assert.equal(askedChanges, 1);
  user.deviceListsPos = 15;
  await lists(15, 20);
  assert.equal(askedChanges, 1);
  changed = ['@a:test'];
  assert.deepEqual(await lists(14, 20), { changed: ['@a:test'], left: [] });
});

test('those who come and go are looked at', async () => {
  const room = addRoom(1);
  room.view!.append(memberEvent(12, '@new:test', 'leave', 'join'));
  room.view!.append(memberEvent(13, '@gone:test', 'join', 'leave'));
  room.view!.append(memberEvent(14, '@banned:test', 'join', 'ban'));
  room.view!.append(memberEvent(15, '@reader:test', 'leave', 'join'));
  addRoom(2, { joinedPos: 12, pos: 12, view: newView(2, start) });
  addRoom(3, { membership: 'leave', pos: 12, wasJoined: true });
  addRoom(4, { membership: 'leave', pos: 12, wasJoined: false });
  addRoom(5, { view: newView(5, 12) });
  changed = ['@gone:test', '@other:test'];
  sharing = [
    { userId: '@new:test', shares: true, sharedBefore: false },
    { userId: '@known:test', shares: true, sharedBefore: true },
    { userId: '@gone:test', shares: false, sharedBefore: false },
  ];
  const found = await lists(start, 20);
  assert.deepEqual(askedSharing, [
    {
      readerNid: 1,
      afterPos: start,
      uptoPos: 20,
      entered: [2],
      left: [3],
      unseen: [5],
      userIds: ['@new:test', '@gone:test', '@banned:test'],
    },
  ]);
  assert.deepEqual(found.changed.toSorted(), ['@new:test', '@other:test']);
  assert.deepEqual(found.left, ['@gone:test']);
});
