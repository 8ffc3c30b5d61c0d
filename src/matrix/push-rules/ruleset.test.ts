import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  UnknownPlace,
  UnknownRule,
  withActions,
  withEnabled,
  withoutRule,
  withRule,
} from './edit-rules.ts';
import { InvalidRule, parseActions, parseUserRule } from './parse-rule.ts';
import type { RuleFeatures } from './rule.ts';
import { rulesetOf } from './ruleset.ts';
import type { PushRule, RuleDifferences } from './rule.ts';

const ids = (rules: PushRule[]) => rules.map((rule) => rule.rule_id);
const rule = (id: string) => parseUserRule('override', id, { actions: [], conditions: [] });

test('the rules of a user who has changed nothing', () => {
  const ruleset = rulesetOf({}, '@alice:example.org');
  assert.equal(ruleset.override[0]!.rule_id, '.m.rule.master');
  assert.equal(ruleset.override[0]!.enabled, false);
  const invite = ruleset.override.find((entry) => entry.rule_id === '.m.rule.invite_for_me')!;
  assert.deepEqual(invite.conditions?.at(-1), {
    kind: 'event_match',
    key: 'state_key',
    pattern: '@alice:example.org',
  });
  const mention = ruleset.override.find((entry) => entry.rule_id === '.m.rule.is_user_mention')!;
  assert.deepEqual(mention.conditions, [
    {
      kind: 'event_property_contains',
      key: 'content.m\\.mentions.user_ids',
      value: '@alice:example.org',
    },
  ]);
  assert.deepEqual(ids(ruleset.content), ['.m.rule.contains_user_name']);
  assert.equal(ruleset.content[0]!.pattern, 'alice');
  assert.equal(ruleset.content[0]!.conditions, undefined);
  assert.deepEqual(ruleset.room, []);
  assert.equal(ruleset.underride.at(-1)!.rule_id, '.m.rule.encrypted');
});

test('own rules come after the master rule and before the others', () => {
  let differences: RuleDifferences = {};
  differences = withRule(differences, 'override', rule('a'));
  differences = withRule(differences, 'override', rule('b'));
  differences = withRule(differences, 'override', rule('c'), { after: 'b' });
  differences = withRule(differences, 'override', rule('d'), { before: 'b' });
  const { override } = rulesetOf(differences, '@a:x');
  assert.deepEqual(ids(override).slice(0, 6), [
    '.m.rule.master',
    'd',
    'b',
    'c',
    'a',
    '.m.rule.suppress_notices',
  ]);
  assert.equal(override[1]!.default, false);
  assert.equal(override[1]!.enabled, true);
  const moved = withRule(differences, 'override', rule('a'), { before: 'd' });
  assert.equal(rulesetOf(moved, '@a:x').override[1]!.rule_id, 'a');
  assert.throws(
    () => withRule(differences, 'override', rule('e'), { after: 'absent' }),
    UnknownPlace,
  );
  assert.throws(
    () => withRule(differences, 'override', rule('e'), { after: '.m.rule.master' }),
    InvalidRule,
  );
});

test('a replaced rule keeps its place and whether it is enabled', () => {
  let differences = withRule({}, 'override', rule('a'));
  differences = withRule(differences, 'override', rule('b'));
  differences = withEnabled(differences, 'override', 'a', false);
  const changed = parseUserRule('override', 'a', { actions: ['notify'], conditions: [] });
  const { override } = rulesetOf(withRule(differences, 'override', changed), '@a:x');
  assert.deepEqual(ids(override).slice(1, 3), ['b', 'a']);
  assert.equal(override[2]!.enabled, false);
  assert.deepEqual(override[2]!.actions, ['notify']);
});

test('default rules can be changed but not removed', () => {
  let differences = withEnabled({}, 'override', '.m.rule.master', true);
  differences = withActions(differences, 'underride', '.m.rule.message', ['dont_notify']);
  const ruleset = rulesetOf(differences, '@a:x');
  assert.equal(ruleset.override[0]!.enabled, true);
  const message = ruleset.underride.find((entry) => entry.rule_id === '.m.rule.message')!;
  assert.deepEqual(message.actions, ['dont_notify']);
  assert.throws(() => withoutRule(differences, 'override', '.m.rule.master'), UnknownRule);
  assert.throws(() => withEnabled({}, 'room', '.m.rule.master', true), UnknownRule);
  assert.deepEqual(withoutRule(withRule({}, 'override', rule('a')), 'override', 'a'), {});
});

test('says what is wrong with a rule', () => {
  const wrong: [Parameters<typeof parseUserRule>, RegExp][] = [
    [['override', '.a', { actions: [] }], /begin with a dot/],
    [['override', 'a/b', { actions: [] }], /slashes/],
    [['override', 'a', { actions: 'notify' }], /actions must be an array/],
    [['override', 'a', { actions: ['shout'] }], /"shout" is not an action/],
    [['override', 'a', { actions: [], conditions: [{}] }], /with a kind/],
    [['content', 'a', { actions: [] }], /need a pattern/],
    [['room', 'a', { actions: [] }], /room id/],
    [['sender', 'a', { actions: [] }], /user id/],
  ];
  for (const [args, message] of wrong) {
    assert.throws(
      () => parseUserRule(...args),
      (error) => error instanceof InvalidRule && message.test(error.message),
    );
  }
  assert.deepEqual(parseActions([{ set_tweak: 'sound', value: 'x' }, 'dont_notify']), [
    { set_tweak: 'sound', value: 'x' },
    'dont_notify',
  ]);
});

test('the kind postcontent is there with thread subscriptions only', () => {
  const features = { threadSubscriptions: true, polls: false };
  assert.equal(rulesetOf({}, '@a:x').postcontent, undefined);
  const shown = rulesetOf({}, '@a:x', features).postcontent!;
  assert.deepEqual(ids(shown), [
    '.io.element.msc4306.rule.unsubscribed_thread',
    '.io.element.msc4306.rule.subscribed_thread',
  ]);
  const condition = { kind: 'io.element.msc4306.thread_subscription', subscribed: false };
  assert.deepEqual(shown[0]!.conditions, [condition]);
  const off = withEnabled({}, 'postcontent', shown[0]!.rule_id, false);
  assert.equal(rulesetOf(off, '@a:x', features).postcontent![0]!.enabled, false);
  assert.throws(() => parseUserRule('postcontent', 'mine', { actions: [] }), InvalidRule);
});

test('rules of polls are there where they are switched on, those for two before those for all', () => {
  const ids = (features?: RuleFeatures) =>
    Object.values(rulesetOf({}, '@a:x', features))
      .flat()
      .map(({ rule_id: id }) => id)
      .filter((id) => id.includes('poll'));
  assert.deepEqual(ids(), []);
  const prefix = '.org.matrix.msc3930.rule.poll_';
  assert.deepEqual(
    ids({ threadSubscriptions: false, polls: true }),
    ['response', 'start_one_to_one', 'start', 'end_one_to_one', 'end'].map((id) => prefix + id),
  );
});
