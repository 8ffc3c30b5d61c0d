import { bodyMatch, compileCondition, compileDefaultCondition } from './conditions.ts';
import type { CompiledCondition, RoomFacts, SelfFacts } from './conditions.ts';
import { defaultRules } from './default-rules.ts';
import { EventFacts, type PushEvent } from './event-facts.ts';
import { localpartOf, rankedRules, type RankedRule } from './ruleset.ts';
import { isRuleKind, noRuleFeatures, ruleKinds } from './rule.ts';
import type { Action, RuleDifferences, RuleFeatures, RuleKind, UserRule } from './rule.ts';

interface CompiledRule {
  readonly isLegacyMention: boolean;
  readonly conditions: readonly CompiledCondition[];
  readonly actions: readonly Action[];
}

/** A user's enabled rules, ready to be evaluated. The same object serves all users of a class. */
export interface CompiledRuleset {
  readonly rules: readonly CompiledRule[];
  /** A rule the user made depends on the display name, whatever an event mentions. */
  readonly ownRulesUseDisplayName: boolean;
  /** Equal for rulesets that always give the same actions to the same user. */
  readonly signature: string;
}

/** Whose rules, and where. */
export interface EvaluationContext extends RoomFacts {
  readonly userId: string;
  /** In the room; null when there is none. */
  readonly displayName: string | null;
}

function effective(actions: readonly Action[]): readonly Action[] {
  return actions.filter((action) => action !== 'dont_notify' && action !== 'coalesce');
}

const defaultConditions = new Map(
  defaultRules.map((rule) => [rule.ruleId, rule.conditions.map(compileDefaultCondition)]),
);

function ownConditions(kind: RuleKind, rule: UserRule): CompiledCondition[] {
  switch (kind) {
    case 'content':
      return [bodyMatch(rule.pattern ?? '')];
    case 'room':
      return [(event) => event.roomId === rule.rule_id];
    case 'sender':
      return [(event) => event.sender === rule.rule_id];
    default:
      return (rule.conditions ?? []).map(compileCondition);
  }
}

/** What an own rule does, without its name where that has no effect. */
function ownSignature(kind: RuleKind, rule: UserRule, actions: readonly Action[]): unknown {
  if (kind === 'room' || kind === 'sender') return [kind, rule.rule_id, actions];
  return [kind, kind === 'content' ? rule.pattern : rule.conditions, actions];
}

/** Compiles the rules of a user. */
export function compileRuleset(
  differences: RuleDifferences,
  features: RuleFeatures = noRuleFeatures,
): CompiledRuleset {
  const rules: CompiledRule[] = [];
  const signature: unknown[] = [];
  let ownRulesUseDisplayName = false;
  const addOwn = (kind: RuleKind, rule: UserRule) => {
    if (rule.enabled === false) return;
    const actions = effective(rule.actions);
    rules.push({ isLegacyMention: false, conditions: ownConditions(kind, rule), actions });
    signature.push(ownSignature(kind, rule, actions));
    ownRulesUseDisplayName ||= (rule.conditions ?? []).some(
      (condition) => condition.kind === 'contains_display_name',
    );
  };
  const add = (kind: RuleKind, ranked: RankedRule) => {
    if ('own' in ranked) return addOwn(kind, ranked.own);
    const { ruleId, enabled, actions: usual, isLegacyMention } = ranked.server;
    const change = differences.defaults?.[ruleId];
    if (!(change?.enabled ?? enabled)) return;
    const actions = effective(change?.actions ?? usual);
    const conditions = defaultConditions.get(ruleId)!;
    rules.push({ isLegacyMention: isLegacyMention ?? false, conditions, actions });
    signature.push([ruleId, actions]);
  };
  for (const kind of ruleKinds) {
    if (!isRuleKind(kind, features)) continue;
    for (const ranked of rankedRules(kind, differences, features)) add(kind, ranked);
  }
  return { rules, ownRulesUseDisplayName, signature: JSON.stringify(signature) };
}

/** Makes the facts about a user that rules look at. */
export function selfFacts(userId: string, displayName: string | null): SelfFacts {
  return {
    userId,
    localpart: localpartOf(userId).toLowerCase(),
    displayName: displayName === null || displayName === '' ? null : displayName.toLowerCase(),
  };
}

/** The actions of the first rule that matches; null: none does. */
export function firstMatch(
  ruleset: CompiledRuleset,
  event: EventFacts,
  room: RoomFacts,
  self: SelfFacts | null,
): readonly Action[] | null {
  for (const rule of ruleset.rules) {
    if (rule.isLegacyMention && event.hasMentions) continue;
    if (rule.conditions.every((holds) => holds(event, room, self))) return rule.actions;
  }
  return null;
}

/**
 * What a user's rules say about an event: the actions of the first rule that matches, without the
 * historical ones; null when none matches, and for the user's own events.
 */
export function evaluate(
  ruleset: CompiledRuleset,
  event: EventFacts | PushEvent,
  context: EvaluationContext,
): readonly Action[] | null {
  if (event.sender === context.userId) return null;
  const facts = event instanceof EventFacts ? event : new EventFacts(event);
  return firstMatch(ruleset, facts, context, selfFacts(context.userId, context.displayName));
}
