import type { Action, Condition, DefaultRule, RuleKind, SelfCondition } from './rule.ts';

const notify: Action = 'notify';
const highlight: Action = { set_tweak: 'highlight' };
const sound = (value: string): Action => ({ set_tweak: 'sound', value });

const match = (key: string, pattern: string): Condition => ({ kind: 'event_match', key, pattern });
const is = (key: string, value: string | boolean): Condition => ({
  kind: 'event_property_is',
  key,
  value,
});
const ofType = (type: string) => match('type', type);
const twoMembers: Condition = { kind: 'room_member_count', is: '2' };
const threadSubscription = 'io.element.msc4306.thread_subscription';
const mayNotifyRoom: Condition = { kind: 'sender_notification_permission', key: 'room' };

function rule(
  kind: RuleKind,
  ruleId: string,
  conditions: (Condition | SelfCondition)[],
  actions: Action[],
): DefaultRule {
  return { kind, ruleId, enabled: true, conditions, actions };
}

const poll = (made: DefaultRule): DefaultRule => ({ ...made, proposal: 'polls' });
const pollType = 'org.matrix.msc3381.poll.';
const legacy = (made: DefaultRule): DefaultRule => ({ ...made, isLegacyMention: true });

const override = (ruleId: string, conditions: DefaultRule['conditions'], actions: Action[]) =>
  rule('override', ruleId, conditions, actions);
const underride = (ruleId: string, conditions: DefaultRule['conditions'], actions: Action[]) =>
  rule('underride', ruleId, conditions, actions);

/**
 * The server's rules in order of priority (client-server spec, "Predefined Rules"). The legacy
 * mention rules left the spec in 1.17; they stay, because many clients still send messages without
 * `m.mentions`, and apply to those only.
 */
export const defaultRules: readonly DefaultRule[] = [
  { ...override('.m.rule.master', [], []), enabled: false },
  override('.m.rule.suppress_notices', [match('content.msgtype', 'm.notice')], []),
  override(
    '.m.rule.invite_for_me',
    [
      ofType('m.room.member'),
      match('content.membership', 'invite'),
      { kind: 'self_is', key: 'state_key' },
    ],
    [notify, sound('default')],
  ),
  override('.m.rule.member_event', [ofType('m.room.member')], []),
  override(
    '.m.rule.is_user_mention',
    [{ kind: 'self_in', key: 'content.m\\.mentions.user_ids' }],
    [notify, sound('default'), highlight],
  ),
  legacy(
    override(
      '.m.rule.contains_display_name',
      [{ kind: 'contains_display_name' }],
      [notify, sound('default'), highlight],
    ),
  ),
  override(
    '.m.rule.is_room_mention',
    [is('content.m\\.mentions.room', true), mayNotifyRoom],
    [notify, highlight],
  ),
  legacy(
    override(
      '.m.rule.roomnotif',
      [match('content.body', '@room'), mayNotifyRoom],
      [notify, highlight],
    ),
  ),
  override(
    '.m.rule.tombstone',
    [ofType('m.room.tombstone'), match('state_key', '')],
    [notify, highlight],
  ),
  override('.m.rule.reaction', [ofType('m.reaction')], []),
  override('.m.rule.room.server_acl', [ofType('m.room.server_acl'), match('state_key', '')], []),
  poll(override('.org.matrix.msc3930.rule.poll_response', [ofType(`${pollType}response`)], [])),
  override('.m.rule.suppress_edits', [is('content.m\\.relates_to.rel_type', 'm.replace')], []),
  legacy(
    rule(
      'content',
      '.m.rule.contains_user_name',
      [{ kind: 'self_named' }],
      [notify, sound('default'), highlight],
    ),
  ),
  rule(
    'postcontent',
    '.io.element.msc4306.rule.unsubscribed_thread',
    [{ kind: threadSubscription, subscribed: false }],
    [],
  ),
  rule(
    'postcontent',
    '.io.element.msc4306.rule.subscribed_thread',
    [{ kind: threadSubscription, subscribed: true }],
    [notify, sound('default')],
  ),
  underride('.m.rule.call', [ofType('m.call.invite')], [notify, sound('ring')]),
  underride(
    '.m.rule.encrypted_room_one_to_one',
    [twoMembers, ofType('m.room.encrypted')],
    [notify, sound('default')],
  ),
  underride(
    '.m.rule.room_one_to_one',
    [twoMembers, ofType('m.room.message')],
    [notify, sound('default')],
  ),
  underride('.m.rule.message', [ofType('m.room.message')], [notify]),
  underride('.m.rule.encrypted', [ofType('m.room.encrypted')], [notify]),
  ...['start', 'end'].flatMap((part) => [
    poll(
      underride(
        `.org.matrix.msc3930.rule.poll_${part}_one_to_one`,
        [twoMembers, ofType(`${pollType}${part}`)],
        [notify, sound('default')],
      ),
    ),
    poll(
      underride(`.org.matrix.msc3930.rule.poll_${part}`, [ofType(`${pollType}${part}`)], [notify]),
    ),
  ]),
];

/** By rule id. */
export const defaultRulesById: ReadonlyMap<string, DefaultRule> = new Map(
  defaultRules.map((made) => [made.ruleId, made]),
);
