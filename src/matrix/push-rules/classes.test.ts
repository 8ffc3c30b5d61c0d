import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { JsonObject } from '../pdu.ts';
import { Audience, judge, RulesetClasses, verdictFor } from './classes.ts';
import { compileRuleset, evaluate } from './evaluate.ts';
import { EventFacts } from './event-facts.ts';
import type { RuleDifferences, UserRule } from './rule.ts';
import { verdictOf } from './verdict.ts';

const names = ['alice', 'al.ice', '-bob', 'аня', '李', 'A B', 'B', '..', 'room', 'Ö1'];
const userIds = ['@alice:x', '@al.ice:x', '@-bob:x', '@b:x', '@a-b:x', '@..:x'];
const actions = fc.constantFrom<UserRule['actions']>(
  [],
  ['notify'],
  ['notify', { set_tweak: 'highlight' }],
);
const enabled = fc.constantFrom(true, true, false);
const condition = fc.constantFrom<NonNullable<UserRule['conditions']>[number]>(
  { kind: 'contains_display_name' },
  { kind: 'event_match', key: 'content.body', pattern: 'b*e' },
  { kind: 'event_match', key: 'sender', pattern: '@b:x' },
  { kind: 'event_property_is', key: 'type', value: 'm.room.message' },
  { kind: 'room_member_count', is: '2' },
);
const ruleId = fc.constantFrom('r1', 'r2');
const conditional = fc.array(
  fc.record({
    rule_id: ruleId,
    actions,
    enabled,
    conditions: fc.array(condition, { maxLength: 2 }),
  }),
  { maxLength: 2 },
);
const differences: fc.Arbitrary<RuleDifferences> = fc.record(
  {
    own: fc.record(
      {
        override: conditional,
        underride: conditional,
        content: fc.array(
          fc.record({
            rule_id: ruleId,
            actions,
            enabled,
            pattern: fc.constantFrom('alice', 'b?*'),
          }),
          { maxLength: 1 },
        ),
        sender: fc.array(fc.record({ rule_id: fc.constantFrom('@b:x'), actions, enabled }), {
          maxLength: 1,
        }),
      },
      { requiredKeys: [] },
    ),
    defaults: fc.dictionary(
      fc.constantFrom('.m.rule.master', '.m.rule.message', '.m.rule.is_user_mention'),
      fc.record({ enabled, actions }, { requiredKeys: [] }),
      { maxKeys: 2 },
    ),
  },
  { requiredKeys: [] },
);

const body = fc
  .array(fc.constantFrom(...names, ...userIds, 'hello', '@room', ' ', ', ', '!', 'x'), {
    maxLength: 8,
  })
  .map((parts) => parts.join(''));
const content: fc.Arbitrary<JsonObject> = fc.record(
  {
    body,
    msgtype: fc.constantFrom('m.text', 'm.notice'),
    membership: fc.constantFrom('invite', 'join'),
    'm.mentions': fc.record(
      { user_ids: fc.array(fc.constantFrom(...userIds), { maxLength: 2 }), room: fc.boolean() },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: [] },
);
const event = fc.record({
  eventId: fc.constant('$e'),
  roomId: fc.constant('!r:x'),
  type: fc.constantFrom('m.room.message', 'm.room.member', 'm.room.encrypted', 'm.other'),
  sender: fc.constantFrom(...userIds),
  stateKey: fc.constantFrom(null, null, ...userIds),
  originServerTs: fc.constant(1),
  content,
});
const member = fc.record({
  userId: fc.constantFrom(...userIds),
  displayName: fc.constantFrom(null, '', ...names),
  rules: fc.oneof({ weight: 2, arbitrary: fc.constant({}) }, { weight: 3, arbitrary: differences }),
});

test('classes and exceptions say for everybody what evaluate says', () => {
  const features = { threadSubscriptions: true, polls: false };
  const classes = new RulesetClasses(features);
  const subscribers = fc.option(fc.uniqueArray(fc.constantFrom(...userIds), { maxLength: 3 }));
  fc.assert(
    fc.property(
      event,
      fc.array(member, { maxLength: 6 }),
      fc.constantFrom(0, 50),
      fc.constantFrom(2, 3),
      subscribers,
      (sent, members, sender, memberCount, subscribed) => {
        const facts = new EventFacts(sent, subscribed && new Set(subscribed));
        const audience = new Audience();
        for (const [nid, { userId, displayName, rules }] of members.entries()) {
          audience.set(nid, userId, displayName, classes.of(rules));
        }
        const room = { memberCount, powerLevels: { sender, notifications: {} }, roomVersion: '12' };
        const judged = judge(facts, room, audience);
        const latest = new Map(members.map((entry) => [entry.userId, entry]));
        for (const { userId, displayName, rules } of latest.values()) {
          const alone = evaluate(compileRuleset(rules, features), facts, {
            ...room,
            userId,
            displayName,
          });
          const known = audience.get(userId)!;
          assert.equal(verdictFor(judged, known), verdictOf(alone), userId);
          const exception = judged.exceptions.get(userId);
          if (exception) assert.notEqual(exception.verdict, judged.classes.get(known.rules.id));
        }
      },
    ),
    { numRuns: 5000 },
  );
});

test('users share a class when their rules have the same effect', () => {
  const classes = new RulesetClasses();
  const rule = { rule_id: 'a', pattern: 'cake', actions: ['notify'] };
  assert.equal(classes.of({}), classes.usual);
  assert.equal(classes.of({ own: { content: [{ ...rule, enabled: false }] } }), classes.usual);
  const one = classes.of({ own: { content: [rule] } });
  assert.notEqual(one, classes.usual);
  assert.equal(one, classes.of({ own: { content: [{ ...rule, rule_id: 'b' }] } }));
  assert.notEqual(one, classes.of({ own: { content: [{ ...rule, pattern: 'pie' }] } }));
  const room = (id: string) => classes.of({ own: { room: [{ rule_id: id, actions: [] }] } });
  assert.notEqual(room('!a:x'), room('!b:x'));
  assert.match(one.id, /^[\w-]{16}$/);
});

test('an audience forgets members who go', () => {
  const classes = new RulesetClasses();
  const audience = new Audience();
  audience.set(1, '@alice:x', 'Аня', classes.usual);
  audience.set(1, '@alice:x', 'Ваня', classes.usual);
  assert.equal(audience.size, 1);
  assert.equal(audience.named('привет, аня').size, 0);
  assert.equal(audience.named('привет, ваня').size, 1);
  audience.delete('@alice:x');
  assert.equal(audience.named('alice ваня').size, 0);
  assert.deepEqual(audience.classes(), []);
});
