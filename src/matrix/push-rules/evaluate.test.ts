import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../pdu.ts';
import { compileRuleset, evaluate, type EvaluationContext } from './evaluate.ts';
import { EventFacts, type PushEvent } from './event-facts.ts';
import type { Action, Condition, RuleDifferences } from './rule.ts';
import { verdictOf } from './verdict.ts';

const alice: EvaluationContext = {
  userId: '@alice:x',
  displayName: 'Alice Liddell',
  memberCount: 5,
  powerLevels: { sender: 0, notifications: {} },
  roomVersion: '12',
};

function message(content: JsonObject, more: Partial<PushEvent> = {}): PushEvent {
  return {
    eventId: '$e',
    roomId: '!r:x',
    type: 'm.room.message',
    sender: '@bob:x',
    stateKey: null,
    originServerTs: 5,
    content: { msgtype: 'm.text', ...content },
    ...more,
  };
}

function verdict(event: PushEvent, context = alice, differences: RuleDifferences = {}): string {
  const { notify, highlight } = verdictOf(evaluate(compileRuleset(differences), event, context));
  return highlight ? 'highlight' : notify ? 'notify' : 'silent';
}

function holds(condition: JsonObject & { kind: string }, event: PushEvent, context = alice) {
  const own = {
    override: [{ rule_id: 'a', actions: ['hit'] as Action[], conditions: [condition] }],
  };
  return evaluate(compileRuleset({ own }), event, context)?.[0] === 'hit';
}

test('what the default rules say', () => {
  assert.equal(verdict(message({ body: 'hi' })), 'notify');
  assert.equal(verdict(message({ body: 'hi' }, { sender: '@alice:x' })), 'silent');
  assert.equal(verdict(message({ body: 'hi', msgtype: 'm.notice' })), 'silent');
  assert.equal(verdict(message({ body: 'hi, ALICE!' })), 'highlight');
  assert.equal(verdict(message({ body: 'malice' })), 'notify');
  assert.equal(verdict(message({ body: 'hi alice', 'm.mentions': {} })), 'notify');
  assert.equal(verdict(message({ 'm.mentions': { user_ids: ['@alice:x'] } })), 'highlight');
  assert.equal(verdict(message({ body: 'hey alice liddell.' }, {}), alice), 'highlight');
  assert.equal(verdict(message({ 'm.relates_to': { rel_type: 'm.replace' } })), 'silent');
  assert.equal(verdict(message({}, { type: 'm.reaction' })), 'silent');
  assert.equal(verdict(message({}, { type: 'm.room.topic', stateKey: '' })), 'silent');
  assert.equal(verdict(message({}, { type: 'm.room.tombstone', stateKey: '' })), 'highlight');
  assert.equal(verdict(message({}, { type: 'm.room.tombstone' })), 'silent');
  const invite = { type: 'm.room.member', stateKey: '@alice:x' };
  assert.equal(verdict(message({ membership: 'invite' }, invite)), 'notify');
  assert.equal(verdict(message({ membership: 'join' }, invite)), 'silent');
});

test('the whole room is mentioned only by those who may', () => {
  const moderator = { ...alice, powerLevels: { sender: 50, notifications: {} } };
  const strict = { ...alice, powerLevels: { sender: 50, notifications: { room: 60 } } };
  const contents: JsonObject[] = [{ 'm.mentions': { room: true } }, { body: 'hello @room' }];
  for (const content of contents) {
    assert.equal(verdict(message(content)), 'notify');
    assert.equal(verdict(message(content), moderator), 'highlight');
    assert.equal(verdict(message(content), strict), 'notify');
  }
});

test('own rules, switched rules and historical actions', () => {
  const own = { room: [{ rule_id: '!r:x', actions: ['dont_notify'] }] };
  assert.deepEqual(evaluate(compileRuleset({ own }), message({ body: 'hi' }), alice), []);
  assert.equal(verdict(message({ body: 'alice' }), alice, { own }), 'highlight');
  const sender = { sender: [{ rule_id: '@bob:x', actions: [] }] };
  assert.equal(verdict(message({ body: 'hi' }), alice, { own: sender }), 'silent');
  const content = { content: [{ rule_id: 'k', pattern: 'c?ke', actions: ['notify'] }] };
  const cake = message({ body: 'Cake!' }, { type: 'm.other' });
  assert.equal(verdict(cake, alice, { own: content }), 'notify');
  const off = { content: [{ ...content.content[0]!, enabled: false }] };
  assert.equal(verdict(cake, alice, { own: off }), 'silent');
  const muted = { defaults: { '.m.rule.master': { enabled: true } } };
  assert.equal(verdict(message({ body: 'alice' }), alice, muted), 'silent');
  const loud = {
    defaults: { '.m.rule.message': { actions: ['notify', { set_tweak: 'highlight' }] } },
  };
  assert.equal(verdict(message({ body: 'hi' }), alice, loud), 'highlight');
});

test('each kind of condition', () => {
  const event = message(
    {
      body: 'An exciting triple-whammy',
      topic: 'Lunch plans',
      'm.federate': true,
      n: 1,
      nothing: null,
      list: ['a', 1, { b: 2 }],
      'a\\b': { 'c.d': 'e' },
    },
    { stateKey: '' },
  );
  const match = (key: string, pattern: unknown): Condition =>
    ({ kind: 'event_match', key, pattern }) as Condition;
  const is = (key: string, value: unknown): Condition =>
    ({ kind: 'event_property_is', key, value }) as Condition;
  const contains = (key: string, value: unknown): Condition =>
    ({ kind: 'event_property_contains', key, value }) as Condition;
  const yes: Condition[] = [
    match('content.topic', 'lunc?*'),
    match('content.body', 'ex*ple'),
    match('state_key', ''),
    match('room_id', '!R:x'),
    is('content.m\\.federate', true),
    is('content.nothing', null),
    is('content.n', 1),
    is('content.a\\\\b.c\\.d', 'e'),
    contains('content.list', 'a'),
    { kind: 'room_member_count', is: '5' },
    { kind: 'room_member_count', is: '>=5' },
    { kind: 'room_member_count', is: '<6' },
  ];
  const no: Condition[] = [
    match('content.topic', 'lunch'),
    match('content.absent', '*'),
    match('content.n', '*'),
    match('content.body', 5),
    is('content.m\\.federate', 'true'),
    is('content.absent', null),
    is('content.n', '1'),
    is('content.list', ['a', 1, { b: 2 }]),
    is('content.constructor', undefined),
    contains('content.list', '1'),
    contains('content.topic', 'L'),
    { kind: 'room_member_count', is: '>5' },
    { kind: 'room_member_count', is: 'many' },
    { kind: 'sender_notification_permission', key: 'room' },
    { kind: 'sender_notification_permission', key: 'constructor' },
    { kind: 'org.matrix.msc3931.push.room_version_supports', feature: 'a' },
    { kind: 'self_is', key: 'state_key' },
    { kind: 'unheard_of' },
  ];
  for (const condition of yes) assert.ok(holds(condition, event), JSON.stringify(condition));
  for (const condition of no) assert.ok(!holds(condition, event), JSON.stringify(condition));
  const feature = 'org.matrix.msc3932.extensible_events';
  const supports = { kind: 'org.matrix.msc3931.push.room_version_supports', feature };
  assert.ok(holds(supports, event, { ...alice, roomVersion: 'org.matrix.msc1767.10' }));
  assert.ok(!holds(supports, event));
});

test('threads notify those who subscribe to them (MSC4306)', () => {
  const features = { threadSubscriptions: true, polls: false };
  const says = (subscribers: string[] | null, content: JsonObject, own: RuleDifferences = {}) => {
    const facts = new EventFacts(message(content), subscribers && new Set(subscribers));
    return evaluate(compileRuleset(own, features), facts, alice);
  };
  const sound = { set_tweak: 'sound', value: 'default' };
  assert.deepEqual(says(null, { body: 'hi' }), ['notify']);
  assert.deepEqual(says([], { body: 'hi' }), []);
  assert.deepEqual(says(['@bob:x'], { body: 'hi' }), []);
  assert.deepEqual(says(['@alice:x'], { body: 'hi' }), ['notify', sound]);
  assert.equal(verdictOf(says([], { body: 'hi alice' })).highlight, true);
  const rule = '.io.element.msc4306.rule.unsubscribed_thread';
  assert.deepEqual(says([], { body: 'hi' }, { defaults: { [rule]: { enabled: false } } }), [
    'notify',
  ]);
  const without = new EventFacts(message({ body: 'hi' }), new Set());
  assert.deepEqual(evaluate(compileRuleset({}), without, alice), ['notify']);
});
