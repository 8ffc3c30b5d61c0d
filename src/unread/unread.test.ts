import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accountDataStream } from '../account-data/module.ts';
import type { Queryable } from '../database/database.ts';
import { eventStream, type StoredEvent } from '../rooms/module.ts';
import { createLocalBus, type Bus } from '../streams/bus.ts';
import { createUnread } from './module.ts';
import type { RuleDifferences } from '../matrix/push-rules/rule.ts';

const roomNid = 1;
const reader = { userNid: 1, userId: '@reader:test' };
const writerNid = 2;

/** A room with messages, read from a database that may be ahead of the stream. */
function setUp() {
  const local = createLocalBus({
    position: 10,
    ephemeralPosition: 0,
    onReaderError(error) {
      throw error;
    },
  });
  const stored: StoredEvent[] = [];
  const room = {
    /** Called when the database has answered. */
    afterRead: () => undefined as unknown,
    rules: {} as RuleDifferences,
    add(): StoredEvent {
      const pos = local.position() + stored.length + 1;
      const content = { body: 'x', msgtype: 'm.text' };
      const event = {
        eventId: `$${pos}`,
        roomNid,
        pos,
        sub: 0,
        type: 'm.room.message',
        sender: '@writer:test',
        senderNid: writerNid,
        stateKey: null,
        originServerTs: 0,
        content: JSON.stringify(content),
        parsed: content,
      } as unknown as StoredEvent;
      stored.push(event);
      return event;
    },
    announce(event: StoredEvent): void {
      const rest = { memberships: [], changed: null, redacted: null };
      const row = { roomId: '!r:test', roomVersion: '12', event, ...rest };
      local.publish([{ stream: eventStream, pos: event.pos!, row }]);
    },
  };
  const events = {
    async query({ name }: { name: string }) {
      const facts = {
        roomNid,
        roomId: '!r:test',
        roomVersion: '12',
        joinedCount: 3,
        powerLevels: null,
        create: '{}',
        creator: '@writer:test',
        member: '{"membership":"join"}',
        joinedPos: 0,
        lastPos: stored.at(-1)?.pos ?? 0,
      };
      if (name === 'unread_room_facts') return [facts];
      const found = stored.toReversed();
      await Promise.resolve(room.afterRead());
      return found;
    },
  } as unknown as Queryable;
  const bus: Bus = {
    ...local,
    reached(pos) {
      for (const event of stored) {
        if (event.pos! > local.position() && event.pos! <= pos) room.announce(event);
      }
      return null;
    },
  };
  const unread = createUnread({
    events,
    bus,
    receipts: { own: async () => [] },
    threadSubscriptions: null,
    pushRules: () => room.rules,
    ignoredUsers: () => new Set<string>(),
  });
  const count = async () =>
    (await unread.counts(reader, [roomNid])).get(roomNid)!.main.notifications;
  return { bus, room, count };
}

test('an event that the database had before the stream counts once', async () => {
  const { room, count, bus } = setUp();
  const event = room.add();
  assert.equal(await count(), 1);
  if (bus.position() < event.pos!) room.announce(event);
  assert.equal(await count(), 1);
});

test('an event that comes while two read counts for both', async () => {
  const { room, count } = setUp();
  room.announce(room.add());
  let second: Promise<number> | null = null;
  room.afterRead = () => {
    room.afterRead = () => undefined;
    room.announce(room.add());
    second = count();
  };
  assert.equal(await count(), 2);
  assert.equal(await second!, 2);
});

test('rules that change while they are read count', async () => {
  const { room, count, bus } = setUp();
  room.announce(room.add());
  room.afterRead = () => {
    room.afterRead = () => undefined;
    room.rules = { defaults: { '.m.rule.message': { enabled: false } } };
    const row = { userNid: reader.userNid, roomNid: 0, type: 'm.push_rules', content: '{}' };
    bus.publish([{ stream: accountDataStream, pos: bus.position() + 1, row }]);
  };
  assert.equal(await count(), 0);
});
