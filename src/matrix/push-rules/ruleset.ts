import { defaultRules } from './default-rules.ts';
import { isRuleKind, noRuleFeatures, ruleKinds } from './rule.ts';
import type {
  Condition,
  DefaultRule,
  PushRule,
  RuleDifferences,
  RuleFeatures,
  RuleKind,
  Ruleset,
  SelfCondition,
  UserRule,
} from './rule.ts';

/** The localpart of a user id. */
export function localpartOf(userId: string): string {
  const colon = userId.indexOf(':');
  return userId.slice(1, colon < 0 ? undefined : colon);
}

/** How clients are shown a condition that is about themselves. */
function conditionFor(condition: Condition | SelfCondition, userId: string): Condition {
  switch (condition.kind) {
    case 'self_is':
      return {
        kind: 'event_match',
        key: (condition as SelfCondition & { key: string }).key,
        pattern: userId,
      };
    case 'self_in':
      return {
        kind: 'event_property_contains',
        key: (condition as SelfCondition & { key: string }).key,
        value: userId,
      };
    default:
      return condition;
  }
}

function fromDefault(rule: DefaultRule, differences: RuleDifferences, userId: string): PushRule {
  const change = differences.defaults?.[rule.ruleId];
  const shown: PushRule = {
    rule_id: rule.ruleId,
    default: true,
    enabled: change?.enabled ?? rule.enabled,
    actions: change?.actions ?? rule.actions,
  };
  if (rule.kind === 'content') shown.pattern = localpartOf(userId);
  else shown.conditions = rule.conditions.map((condition) => conditionFor(condition, userId));
  return shown;
}

function fromUser(rule: UserRule): PushRule {
  const shown: PushRule = {
    rule_id: rule.rule_id,
    default: false,
    enabled: rule.enabled ?? true,
    actions: rule.actions,
  };
  if (rule.conditions) shown.conditions = rule.conditions;
  if (rule.pattern !== undefined) shown.pattern = rule.pattern;
  return shown;
}

/** One rule in the order of a kind: the user's own, or the server's. */
export type RankedRule = { own: UserRule } | { server: DefaultRule };

const isMaster = (rule: DefaultRule) => rule.ruleId === '.m.rule.master';

/** All rules of a kind, highest priority first: `.m.rule.master`, the user's, the server's. */
export function rankedRules(
  kind: RuleKind,
  differences: RuleDifferences,
  features: RuleFeatures,
): RankedRule[] {
  const server = defaultRules.filter(
    ({ kind: own, proposal }) => own === kind && (proposal === undefined || features[proposal]),
  );
  return [
    ...server.filter(isMaster).map((rule) => ({ server: rule })),
    ...(differences.own?.[kind] ?? []).map((rule) => ({ own: rule })),
    ...server.filter((rule) => !isMaster(rule)).map((rule) => ({ server: rule })),
  ];
}

/** A user's rules in the form of `GET /pushrules/global/` and of the `m.push_rules` event. */
export function rulesetOf(
  differences: RuleDifferences,
  userId: string,
  features: RuleFeatures = noRuleFeatures,
): Ruleset {
  const ruleset: Ruleset = { override: [], content: [], room: [], sender: [], underride: [] };
  for (const kind of ruleKinds) {
    if (!isRuleKind(kind, features)) continue;
    ruleset[kind] = rankedRules(kind, differences, features).map((rule) =>
      'own' in rule ? fromUser(rule.own) : fromDefault(rule.server, differences, userId),
    );
  }
  return ruleset;
}
