import { createHash } from 'node:crypto';
import type { RoomFacts, SelfFacts } from './conditions.ts';
import { compileRuleset, firstMatch, selfFacts, type CompiledRuleset } from './evaluate.ts';
import { bodyPath, mentionedUsersPath, type EventFacts } from './event-facts.ts';
import { NameIndex } from './name-index.ts';
import { noRuleFeatures, type RuleDifferences, type RuleFeatures } from './rule.ts';
import { silent, verdictOf, type Verdict } from './verdict.ts';

/** Users with the same rules. */
export interface RulesetClass {
  /** The same on every process and after a restart, as long as the rules are the same. */
  readonly id: string;
  readonly ruleset: CompiledRuleset;
}

/** Bytes of the hash that make a class's id: 96 bits, so that no two ever meet. */
const classIdBytes = 12;

/** Gives users with the same rules the same class; a class lives as long as somebody uses it. */
export class RulesetClasses {
  readonly #classes = new Map<string, WeakRef<RulesetClass>>();
  readonly #unused = new FinalizationRegistry<string>((id) => {
    if (!this.#classes.get(id)?.deref()) this.#classes.delete(id);
  });
  readonly #features: RuleFeatures;
  /** Of users who have changed nothing. */
  readonly usual: RulesetClass;

  constructor(features: RuleFeatures = noRuleFeatures) {
    this.#features = features;
    this.usual = this.of({});
  }

  of(differences: RuleDifferences): RulesetClass {
    const ruleset = compileRuleset(differences, this.#features);
    const hash = createHash('sha256').update(ruleset.signature).digest();
    const id = hash.subarray(0, classIdBytes).toString('base64url');
    const known = this.#classes.get(id)?.deref();
    if (known) return known;
    const made = { id, ruleset };
    this.#classes.set(id, new WeakRef(made));
    this.#unused.register(made, id);
    return made;
  }
}

/** A user who may be notified of events in a room. */
export interface RoomMember {
  readonly userNid: number;
  readonly self: SelfFacts;
  readonly rules: RulesetClass;
}

/**
 * Those of a room who may be notified: this server's joined members, and for an invitation the
 * invited user. Kept beside the room, so that an event need not look at every member.
 */
export class Audience {
  readonly #members = new Map<string, RoomMember>();
  readonly #names = new NameIndex<RoomMember>();
  readonly #classes = new Map<string, { rules: RulesetClass; members: number }>();

  get size(): number {
    return this.#members.size;
  }

  /** Adds a member, or replaces what is known of one. */
  set(userNid: number, userId: string, displayName: string | null, rules: RulesetClass): void {
    this.delete(userId);
    const member = { userNid, self: selfFacts(userId, displayName), rules };
    this.#members.set(userId, member);
    this.#names.add(member.self.localpart, member);
    if (member.self.displayName !== null) this.#names.add(member.self.displayName, member);
    const entry = this.#classes.get(rules.id);
    if (entry) entry.members++;
    else this.#classes.set(rules.id, { rules, members: 1 });
  }

  delete(userId: string): void {
    const member = this.#members.get(userId);
    if (!member) return;
    this.#members.delete(userId);
    this.#names.remove(member.self.localpart, member);
    if (member.self.displayName !== null) this.#names.remove(member.self.displayName, member);
    const entry = this.#classes.get(member.rules.id)!;
    if (--entry.members === 0) this.#classes.delete(member.rules.id);
  }

  get(userId: string): RoomMember | undefined {
    return this.#members.get(userId);
  }

  /** The classes that members are in. */
  classes(): RulesetClass[] {
    return [...this.#classes.values()].map((entry) => entry.rules);
  }

  /** Members whose localpart or display name occurs in a text, and perhaps others. */
  named(lowerText: string): Set<RoomMember> {
    return this.#names.candidates(lowerText);
  }
}

/** What an event means for everybody in an audience. */
export interface AudienceVerdict {
  /** By class id. */
  readonly classes: ReadonlyMap<string, Verdict>;
  /** By user id: those for whom it means something else than for the rest of their class. */
  readonly exceptions: ReadonlyMap<string, { member: RoomMember; verdict: Verdict }>;
}

/** Those for whom a condition about themselves could hold, and the sender. */
function concerned(event: EventFacts, audience: Audience): Set<RoomMember> {
  const found = new Set<RoomMember>();
  const take = (userId: unknown) => {
    const member = typeof userId === 'string' ? audience.get(userId) : undefined;
    if (member) found.add(member);
  };
  take(event.sender);
  take(event.stateKey);
  event.threadSubscribers?.forEach(take);
  const mentioned = event.property(mentionedUsersPath);
  if (Array.isArray(mentioned)) mentioned.forEach(take);
  const mayBeNamed =
    !event.hasMentions || audience.classes().some((rules) => rules.ruleset.ownRulesUseDisplayName);
  const body = mayBeNamed ? event.lowerText(bodyPath) : null;
  if (body !== null) {
    for (const member of audience.named(body)) {
      if (!event.hasMentions || member.rules.ruleset.ownRulesUseDisplayName) found.add(member);
    }
  }
  return found;
}

/**
 * Evaluates an event once for each class of an audience, and once more for each member whom it may
 * concern in person. Equal to `evaluate` for every member, at a cost that does not grow with their
 * number.
 */
export function judge(event: EventFacts, room: RoomFacts, audience: Audience): AudienceVerdict {
  const classes = new Map<string, Verdict>();
  for (const { id, ruleset } of audience.classes()) {
    classes.set(id, verdictOf(firstMatch(ruleset, event, room, null)));
  }
  const exceptions = new Map<string, { member: RoomMember; verdict: Verdict }>();
  for (const member of concerned(event, audience)) {
    const { self, rules } = member;
    const verdict =
      self.userId === event.sender
        ? silent
        : verdictOf(firstMatch(rules.ruleset, event, room, self));
    if (verdict !== classes.get(rules.id)) exceptions.set(self.userId, { member, verdict });
  }
  return { classes, exceptions };
}

/** The verdict for one member of the audience that was judged. */
export function verdictFor(judged: AudienceVerdict, member: RoomMember): Verdict {
  return (
    judged.exceptions.get(member.self.userId)?.verdict ??
    judged.classes.get(member.rules.id) ??
    silent
  );
}
