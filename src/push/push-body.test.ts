import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Action } from '../matrix/push-rules/rule.ts';
import { countPush, eventPush, tweaksOf, type PushedEvent } from './push-body.ts';

const pusher = { appId: 'app', pushkey: 'key', createdTs: 1_999, data: { url: 'https://g', a: 1 } };
const event: PushedEvent = {
  userId: '@alice:test',
  eventId: '$e',
  roomId: '!r',
  type: 'm.room.message',
  sender: '@bob:test',
  stateKey: null,
  content: { body: 'hello' },
  actions: ['notify'],
  senderDisplayName: 'Bob',
  roomName: null,
  roomAlias: null,
};
const options = { unread: 2, includesContent: true };
const shown = { app_id: 'app', pushkey: 'key', pushkey_ts: 1, data: { a: 1 } };

const prioOf = (changes: Partial<PushedEvent>) =>
  (eventPush(pusher, { ...event, ...changes }, options)['notification'] as { prio: string }).prio;

test('a tweak without a value is true', () => {
  const actions: Action[] = ['notify', { set_tweak: 'sound', value: 'ring' }];
  assert.deepEqual(tweaksOf(actions), { sound: 'ring' });
  assert.deepEqual(tweaksOf([{ set_tweak: 'highlight' }]), { highlight: true });
});

test('only what makes a sound, stands out, or may turn out to, is urgent', () => {
  assert.equal(prioOf({}), 'low');
  assert.equal(prioOf({ actions: ['notify', { set_tweak: 'highlight', value: false }] }), 'low');
  assert.equal(prioOf({ actions: ['notify', { set_tweak: 'highlight' }] }), 'high');
  assert.equal(prioOf({ actions: ['notify', { set_tweak: 'sound', value: 'x' }] }), 'high');
  assert.equal(prioOf({ type: 'm.room.encrypted' }), 'high');
});

test('the gateway never sees its own URL, and the content only when it may', () => {
  const push = eventPush(pusher, event, { ...options, includesContent: false });
  const known = { event_id: '$e', room_id: '!r', counts: { unread: 2 }, prio: 'low' };
  assert.deepEqual(push['notification'], {
    id: '$e',
    ...known,
    type: 'm.room.message',
    sender: '@bob:test',
    sender_display_name: 'Bob',
    devices: [shown],
  });
  const short = { ...pusher, data: { url: 'https://g', format: 'event_id_only' } };
  const device = { ...shown, data: { format: 'event_id_only' } };
  assert.deepEqual(eventPush(short, event, options)['notification'], {
    ...known,
    devices: [device],
  });
});

test('a count alone names no event', () => {
  const devices = [shown];
  assert.deepEqual(countPush(pusher, 0), {
    notification: { id: '', counts: { unread: 0 }, devices },
  });
});
