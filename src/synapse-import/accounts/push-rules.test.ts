import assert from 'node:assert/strict';
import { test } from 'node:test';
import { differencesOf } from './push-rules.ts';

const rule = (id: string, actions: unknown, conditions: unknown = []) => ({
  rule_id: id,
  actions: JSON.stringify(actions),
  conditions: JSON.stringify(conditions),
});

test('rules of users and what they have changed of the default ones', () => {
  const loud = ['notify', { set_tweak: 'sound' }];
  const member = { kind: 'room_member_count', is: '2' };
  const differences = differencesOf({
    rules: [
      rule('global/override/quiet/one', [], [member]),
      rule('global/override/second', ['notify'], []),
      rule('global/content/cake', loud, [
        { kind: 'event_match', key: 'content.body', pattern: 'cake' },
      ]),
      rule(
        'global/room/!a:b',
        ['dont_notify'],
        [{ kind: 'event_match', key: 'room_id', pattern: '!a:b' }],
      ),
      rule('global/underride/.m.rule.message', []),
      rule('device/x/y', []),
    ],
    switches: [
      { rule_id: 'global/override/.m.rule.master', enabled: true },
      { rule_id: 'global/underride/.m.rule.message', enabled: 0 },
      { rule_id: 'global/override/second', enabled: 0 },
      { rule_id: 'global/content/cake', enabled: 1 },
      { rule_id: 'global/content/gone', enabled: 0 },
    ],
  });
  assert.deepEqual(differences, {
    own: {
      override: [
        { rule_id: 'quiet/one', actions: [], conditions: [member] },
        { rule_id: 'second', actions: ['notify'], conditions: [], enabled: false },
      ],
      content: [{ rule_id: 'cake', actions: loud, pattern: 'cake' }],
      room: [{ rule_id: '!a:b', actions: ['dont_notify'] }],
    },
    defaults: {
      '.m.rule.message': { actions: [], enabled: false },
      '.m.rule.master': { enabled: true },
    },
  });
  assert.deepEqual(differencesOf({ rules: [], switches: [] }), {});
});
