import type { JsonObject } from '../pdu.ts';
import type { Action, Condition, RuleKind, UserRule } from './rule.ts';

/** A rule, an action or a change that is not possible; the message says why. */
export class InvalidRule extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'InvalidRule';
  }
}

/** Conditions in one rule: each costs time for every event. */
const conditionsMax = 100;
const actionsMax = 50;

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Reads the actions of a rule. Throws InvalidRule. */
export function parseActions(json: unknown): Action[] {
  if (!Array.isArray(json)) throw new InvalidRule('actions must be an array');
  if (json.length > actionsMax) throw new InvalidRule('there are too many actions');
  return json.map((action: unknown) => {
    if (action === 'notify' || action === 'dont_notify' || action === 'coalesce') return action;
    if (isObject(action) && typeof action.set_tweak === 'string') {
      return action as Exclude<Action, string>;
    }
    throw new InvalidRule(`${JSON.stringify(action)} is not an action`);
  });
}

function parseConditions(json: unknown): Condition[] {
  if (json === undefined) return [];
  if (!Array.isArray(json)) throw new InvalidRule('conditions must be an array');
  if (json.length > conditionsMax) throw new InvalidRule('there are too many conditions');
  return json.map((condition: unknown) => {
    if (!isObject(condition) || typeof condition.kind !== 'string') {
      throw new InvalidRule('each condition must be an object with a kind');
    }
    return condition as Condition;
  });
}

/** Reads the body of `PUT /pushrules/global/{kind}/{ruleId}`. Throws InvalidRule. */
export function parseUserRule(kind: RuleKind, ruleId: string, json: unknown): UserRule {
  if (ruleId.startsWith('.'))
    throw new InvalidRule('rule ids that begin with a dot are the server’s');
  if (/[/\\]/.test(ruleId)) throw new InvalidRule('a rule id must not contain slashes');
  if (!isObject(json)) throw new InvalidRule('a rule must be an object');
  if (kind === 'postcontent') {
    throw new InvalidRule('rules of the kind postcontent are the server’s');
  }
  const rule: UserRule = { rule_id: ruleId, actions: parseActions(json.actions) };
  if (kind === 'content') {
    if (typeof json.pattern !== 'string') throw new InvalidRule('content rules need a pattern');
    rule.pattern = json.pattern;
  } else if (kind === 'override' || kind === 'underride') {
    rule.conditions = parseConditions(json.conditions);
  } else if (kind === 'room' && !ruleId.startsWith('!')) {
    throw new InvalidRule('the id of a room rule must be a room id');
  } else if (kind === 'sender' && !ruleId.startsWith('@')) {
    throw new InvalidRule('the id of a sender rule must be a user id');
  }
  return rule;
}
