import { defaultRulesById } from './default-rules.ts';
import { InvalidRule } from './parse-rule.ts';
import type { Action, RuleDifferences, RuleKind, UserRule } from './rule.ts';

/** No rule of this kind has this id. */
export class UnknownRule extends Error {
  constructor(kind: RuleKind, ruleId: string) {
    super(`there is no ${kind} rule ${ruleId}`);
    this.name = 'UnknownRule';
  }
}

/** There is no rule beside which another is to stand. */
export class UnknownPlace extends Error {
  constructor(ruleId: string) {
    super(`before/after rule not found: ${ruleId}`);
    this.name = 'UnknownPlace';
  }
}

/** A user's own rules of all kinds: each costs time and memory. */
const ownRulesMax = 2000;

function withOwn(differences: RuleDifferences, kind: RuleKind, rules: UserRule[]): RuleDifferences {
  const { [kind]: _, ...others } = differences.own ?? {};
  const own = rules.length > 0 ? { ...others, [kind]: rules } : others;
  const { own: __, ...rest } = differences;
  return Object.keys(own).length > 0 ? { ...rest, own } : rest;
}

function placeFor(rules: readonly UserRule[], place: { before?: string; after?: string }): number {
  const anchor = place.before ?? place.after;
  if (anchor === undefined) return 0;
  if (anchor.startsWith('.')) throw new InvalidRule('a rule cannot stand beside a default rule');
  const at = rules.findIndex((rule) => rule.rule_id === anchor);
  if (at < 0) throw new UnknownPlace(anchor);
  return place.before !== undefined ? at : at + 1;
}

/**
 * Adds or replaces a rule. It goes before or after the named rule; with neither a new rule comes
 * first and a replaced one stays where it is; one that was off stays off. Throws UnknownPlace when the
 * named rule is not there, InvalidRule when there are too many.
 */
export function withRule(
  differences: RuleDifferences,
  kind: RuleKind,
  rule: UserRule,
  place: { before?: string; after?: string } = {},
): RuleDifferences {
  const rules = differences.own?.[kind] ?? [];
  const at = rules.findIndex((known) => known.rule_id === rule.rule_id);
  const enabled = rules[at]?.enabled;
  const kept = enabled === undefined ? rule : { ...rule, enabled };
  const isPlaced = place.before !== undefined || place.after !== undefined;
  if (at >= 0 && !isPlaced) return withOwn(differences, kind, rules.with(at, kept));
  const count = Object.values(differences.own ?? {}).reduce((sum, list) => sum + list.length, 0);
  if (at < 0 && count >= ownRulesMax) throw new InvalidRule('there are too many push rules');
  const others = rules.filter((known) => known.rule_id !== rule.rule_id);
  return withOwn(differences, kind, others.toSpliced(placeFor(others, place), 0, kept));
}

/** Removes a rule. Throws UnknownRule; default rules cannot be removed. */
export function withoutRule(
  differences: RuleDifferences,
  kind: RuleKind,
  ruleId: string,
): RuleDifferences {
  const rules = differences.own?.[kind] ?? [];
  const others = rules.filter((rule) => rule.rule_id !== ruleId);
  if (others.length === rules.length) throw new UnknownRule(kind, ruleId);
  return withOwn(differences, kind, others);
}

function changed(
  differences: RuleDifferences,
  kind: RuleKind,
  ruleId: string,
  change: { enabled?: boolean; actions?: Action[] },
): RuleDifferences {
  if (defaultRulesById.get(ruleId)?.kind === kind) {
    const before = differences.defaults?.[ruleId];
    const defaults = { ...differences.defaults, [ruleId]: { ...before, ...change } };
    return { ...differences, defaults };
  }
  const rules = differences.own?.[kind] ?? [];
  const at = rules.findIndex((rule) => rule.rule_id === ruleId);
  if (at < 0) throw new UnknownRule(kind, ruleId);
  return withOwn(differences, kind, rules.with(at, { ...rules[at]!, ...change }));
}

/** Switches a rule on or off. Throws UnknownRule. */
export function withEnabled(
  differences: RuleDifferences,
  kind: RuleKind,
  ruleId: string,
  enabled: boolean,
): RuleDifferences {
  return changed(differences, kind, ruleId, { enabled });
}

/** Gives a rule other actions. Throws UnknownRule. */
export function withActions(
  differences: RuleDifferences,
  kind: RuleKind,
  ruleId: string,
  actions: Action[],
): RuleDifferences {
  return changed(differences, kind, ruleId, { actions });
}
