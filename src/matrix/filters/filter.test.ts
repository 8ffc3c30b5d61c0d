import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileEventFields } from './event-fields.ts';
import { parseRoomEventFilter } from './event-filter.ts';
import { emptyFilter, parseFilter } from './filter.ts';
import { InvalidFilter } from './json-shape.ts';

test('a filter that says nothing matches all', () => {
  assert.ok(emptyFilter.matchesAll);
  assert.ok(emptyFilter.room.timeline.matchesAll);
  assert.ok(emptyFilter.room.admitsRoom('!a:b'));
  assert.equal(emptyFilter.room.timeline.limit, null);
  const lazy = parseFilter({
    room: { state: { lazy_load_members: true }, timeline: { limit: 20, not_types: [] } },
  });
  assert.ok(lazy.matchesAll);
  assert.ok(lazy.room.state.lazyLoadMembers);
  assert.equal(lazy.room.timeline.limit, 20);
});

test('types, senders and their exclusions', () => {
  const filter = parseRoomEventFilter({
    types: ['m.room.*', 'm.sticker'],
    not_types: ['m.room.member', '*.secret'],
    senders: ['@a:x', '@b:x'],
    not_senders: ['@b:x'],
  });
  assert.ok(!filter.matchesAll);
  assert.ok(filter.admits('m.room.message', '@a:x'));
  assert.ok(filter.admits('m.sticker', '@a:x'));
  assert.ok(!filter.admits('m.stickers', '@a:x'));
  assert.ok(!filter.admits('m.room.member', '@a:x'));
  assert.ok(!filter.admits('m.room.secret', '@a:x'));
  assert.ok(!filter.admits('m.room.message', '@b:x'));
  assert.ok(!filter.admits('m.room.message', '@c:x'));
  assert.ok(!filter.admits('m.room.message', null));
  assert.ok(!parseRoomEventFilter({ types: [] }).admits('m.room.message', '@a:x'));
  assert.deepEqual(parseRoomEventFilter({ types: ['a*'], not_senders: [] }).criteria, {
    types: ['a*'],
    notTypes: null,
    senders: null,
    notSenders: [],
    containsUrl: null,
    relTypes: null,
    notRelTypes: null,
  });
});

test('content is looked at only when asked for', () => {
  const never = () => assert.fail('content was read');
  assert.ok(parseRoomEventFilter({ types: ['a'] }).admits('a', '@a:x', never));
  const withUrl = parseRoomEventFilter({ contains_url: true });
  assert.ok(withUrl.admits('a', '@a:x', () => ({ url: 'mxc://a/b' })));
  assert.ok(!withUrl.admits('a', '@a:x', () => ({ url: 5 })));
  assert.ok(!withUrl.admits('a', '@a:x'));
  assert.ok(parseRoomEventFilter({ contains_url: false }).admits('a', '@a:x', () => ({})));
  const threads = parseRoomEventFilter({ 'org.matrix.msc3874.rel_types': ['m.thread'] });
  assert.ok(threads.admits('a', null, () => ({ 'm.relates_to': { rel_type: 'm.thread' } })));
  assert.ok(!threads.admits('a', null, () => ({ 'm.relates_to': 'm.thread' })));
});

test('rooms, and what of the filter is not all', () => {
  const filter = parseFilter({
    event_format: 'federation',
    event_fields: ['type'],
    presence: { not_types: ['*'] },
    room: {
      rooms: ['!a:x', '!b'],
      not_rooms: ['!b'],
      include_leave: true,
      timeline: { unread_thread_notifications: true, related_by_rel_types: ['m.thread'] },
      ephemeral: { not_rooms: ['!a:x'] },
    },
  });
  assert.ok(!filter.matchesAll && !filter.room.matchesAllRooms);
  assert.ok(filter.room.admitsRoom('!a:x') && !filter.room.admitsRoom('!b'));
  assert.ok(!filter.room.admitsRoom('!c:x'));
  assert.ok(!filter.room.ephemeral.admitsRoom('!a:x'));
  assert.ok(!filter.presence.admits('m.presence', '@a:x'));
  assert.ok(filter.room.timeline.unreadThreadNotifications && filter.room.includeLeave);
  assert.deepEqual(filter.room.timeline.relatedByRelTypes, ['m.thread']);
  for (const json of [
    { room: { ephemeral: { not_rooms: ['!a:x'] } } },
    { room: { timeline: { related_by_senders: ['@a:x'] } } },
    { room: { rooms: [] } },
    { event_fields: [] },
  ]) {
    assert.ok(!parseFilter(json).matchesAll, JSON.stringify(json));
  }
});

test('says what is wrong with a filter', () => {
  const wrong: [unknown, RegExp][] = [
    [[], /filter must be an object/],
    [{ room: 'a' }, /room must be an object/],
    [{ room: { timeline: { limit: -1 } } }, /room\.timeline\.limit must be an integer/],
    [{ room: { timeline: { limit: '5' } } }, /room\.timeline\.limit/],
    [{ presence: { senders: ['a'] } }, /presence\.senders must hold ids that begin with @/],
    [{ room: { rooms: ['@a:x'] } }, /room\.rooms/],
    [{ room: { state: { types: [5] } } }, /room\.state\.types must hold strings/],
    [{ room: { include_leave: 'yes' } }, /room\.include_leave must be a boolean/],
    [{ event_format: 'xml' }, /event_format must be one of client, federation/],
  ];
  for (const [json, message] of wrong) {
    assert.throws(
      () => parseFilter(json),
      (error) => error instanceof InvalidFilter && message.test(error.message),
    );
  }
});

test('keeps the named members of an event', () => {
  const event = {
    type: 'm.room.message',
    sender: '@a:x',
    content: { body: 'hi', 'm.mentions': { room: true }, info: { size: 3, h: 1 } },
  };
  const select = compileEventFields([
    'content.info.size',
    'type',
    'content.m\\.mentions.room',
    'content.absent.more',
    'constructor',
  ]);
  assert.deepEqual(select(event), {
    type: 'm.room.message',
    content: { info: { size: 3 }, 'm.mentions': { room: true } },
  });
  assert.deepEqual(compileEventFields(['content.body', 'content'])(event), {
    content: event.content,
  });
  assert.deepEqual(compileEventFields([])(event), {});
});
