import type { JsonObject, JsonValue } from '../pdu.ts';

/** The kinds in the order in which they are consulted. */
export const ruleKinds = [
  'override',
  'content',
  'postcontent',
  'room',
  'sender',
  'underride',
] as const;
export type RuleKind = (typeof ruleKinds)[number];

/** Proposals that add kinds and rules of the server. */
export interface RuleFeatures {
  /** MSC4306: the kind `postcontent`, which has rules of the server only. */
  readonly threadSubscriptions: boolean;
  /** MSC3930: polls are told of like messages, and answers to them not at all. */
  readonly polls: boolean;
}

export const noRuleFeatures: RuleFeatures = { threadSubscriptions: false, polls: false };

export function isRuleKind(text: string, features: RuleFeatures): text is RuleKind {
  if (text === 'postcontent') return features.threadSubscriptions;
  return (ruleKinds as readonly string[]).includes(text);
}

/** What to do: `notify`, a tweak, or one of the historical `dont_notify` and `coalesce`. */
export type Action = string | { set_tweak: string; value?: JsonValue };

/** A condition as in the API. Kinds that are not known never match. */
export type Condition = JsonObject & { kind: string };

/** A rule as in the API. Spec: `PushRule`. */
export interface PushRule {
  rule_id: string;
  default: boolean;
  enabled: boolean;
  actions: Action[];
  /** Of override and underride rules. */
  conditions?: Condition[];
  /** Of content rules. */
  pattern?: string;
}

/**
 * All rules of a user as in the API, each kind highest priority first; `postcontent` is there with
 * thread subscriptions only.
 */
export type Ruleset = Record<Exclude<RuleKind, 'postcontent'>, PushRule[]> & {
  postcontent?: PushRule[];
};

/** A rule that a user has made. */
export interface UserRule {
  rule_id: string;
  actions: Action[];
  conditions?: Condition[];
  pattern?: string;
  /** Absent: true. */
  enabled?: boolean;
}

/**
 * What differs from the server's default rules: what is stored for a user. An empty object is a
 * user who has changed nothing.
 */
export interface RuleDifferences {
  /** The user's own rules, each kind highest priority first. */
  own?: Partial<Record<RuleKind, UserRule[]>>;
  /** Changes of default rules, by rule id. */
  defaults?: Record<string, { enabled?: boolean; actions?: Action[] }>;
}

/** The condition holds for the user whom the rules belong to; each user has other rules then. */
export type SelfCondition =
  /** The property is the user's id. */
  | { kind: 'self_is'; key: string }
  /** The array property holds the user's id. */
  | { kind: 'self_in'; key: string }
  /** `content.body` contains the localpart as a word. */
  | { kind: 'self_named' };

/** A rule of the server. */
export interface DefaultRule {
  kind: RuleKind;
  ruleId: string;
  enabled: boolean;
  actions: Action[];
  conditions: (Condition | SelfCondition)[];
  /** Does not apply to events that say whom they mention (`m.mentions`). */
  isLegacyMention?: true;
  /** There only where the proposal is switched on. */
  proposal?: keyof RuleFeatures;
}
