import type { InvitePermissions } from '../matrix/invite-permissions.ts';
import type { JsonObject, Pdu } from '../matrix/pdu.ts';
import { parsePowerLevels } from '../matrix/power-levels.ts';
import { Audience, judge, type RulesetClass } from '../matrix/push-rules/classes.ts';
import { EventFacts } from '../matrix/push-rules/event-facts.ts';
import { firstMatch } from '../matrix/push-rules/evaluate.ts';
import type { Action } from '../matrix/push-rules/rule.ts';
import { roomVersion } from '../matrix/room-versions.ts';
import { contentOf, relationIn, type StoredEvent } from '../rooms/module.ts';
import { ThreadSubscribers, type ThreadSubscription } from '../thread-subscriptions/module.ts';
import type { AudienceRow, RoomRow } from './store/rooms.ts';

/** Whose rules are asked, and whom the user does not want to hear of. */
export interface UserRules {
  rules: RulesetClass;
  ignored: ReadonlySet<string>;
  invites: InvitePermissions;
}

/** That a user is to be told of an event. */
export interface Judged {
  userNid: number;
  actions: readonly Action[];
}

interface Member extends UserRules {
  userNid: number;
  userId: string;
  isInvited: boolean;
  sincePos: number;
}

const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);
const parse = (text: string) => JSON.parse(text) as JsonObject;

/** A room with those of its members whom events may be pushed to. */
export class JudgedRoom {
  readonly roomNid: number;
  readonly #roomId: string;
  readonly #version: string;
  readonly #audience = new Audience();
  readonly #members = new Map<number, Member>();
  readonly #powerLevels: JsonObject | null;
  readonly #create: Pick<Pdu, 'sender' | 'content'>;
  /** Null: users do not subscribe to threads. */
  readonly #subscribers: ThreadSubscribers | null;
  memberCount: number;

  constructor(row: RoomRow, hasSubscriptions: boolean) {
    this.#subscribers = hasSubscriptions ? new ThreadSubscribers() : null;
    this.roomNid = row.roomNid;
    this.#roomId = row.roomId;
    this.#version = row.roomVersion;
    this.#powerLevels = row.powerLevels === null ? null : parse(row.powerLevels);
    this.#create = { sender: row.creator, content: parse(row.create) };
    this.memberCount = row.joinedCount;
  }

  add(
    row: AudienceRow,
    { rules, ignored, invites }: UserRules,
    threads: readonly ThreadSubscription[],
  ): void {
    const { userNid, userId, sincePos } = row;
    const isInvited = row.membership === 'invite';
    this.#audience.set(userNid, userId, textOf(parse(row.member)['displayname']), rules);
    this.#subscribers?.set(userId, threads);
    this.#members.set(userNid, { userNid, userId, isInvited, sincePos, rules, ignored, invites });
  }

  has(userNid: number): boolean {
    return this.#members.has(userNid);
  }

  hasUser(userId: string): boolean {
    return this.#audience.get(userId) !== undefined;
  }

  /** Who is to be told of the event, by the rules as they are now. */
  judge(event: StoredEvent): Judged[] {
    if (this.#members.size === 0) return [];
    const { eventId, type, sender, stateKey, originServerTs } = event;
    const content = contentOf(event);
    const identity = { eventId, roomId: this.#roomId, type, sender, stateKey, originServerTs };
    const facts = new EventFacts({ ...identity, content }, this.#subscribersOf(event));
    const room = this.#facts(sender);
    const judged = judge(facts, room, this.#audience);
    const actionsOf = new Map<string, readonly Action[]>();
    const found: Judged[] = [];
    for (const member of this.#members.values()) {
      const { userNid, userId, rules } = member;
      const exception = judged.exceptions.get(userId);
      const verdict = exception?.verdict ?? judged.classes.get(rules.id);
      if (!verdict?.notify || !concerns(member, event)) continue;
      let actions = exception ? undefined : actionsOf.get(rules.id);
      if (!actions) {
        const self = this.#audience.get(userId)!.self;
        actions = firstMatch(rules.ruleset, facts, room, exception ? self : null) ?? [];
        if (!exception) actionsOf.set(rules.id, actions);
      }
      found.push({ userNid, actions });
    }
    return found;
  }

  #subscribersOf(event: StoredEvent): ReadonlySet<string> | null {
    if (!this.#subscribers) return null;
    const relation = relationIn(contentOf(event));
    if (relation?.relType !== 'm.thread') return null;
    return this.#subscribers.at(relation.parentId, event.pos!);
  }

  #facts(sender: string) {
    const parsed = parsePowerLevels(
      roomVersion(this.#version),
      this.#powerLevels === null ? undefined : { content: this.#powerLevels },
      this.#create,
    );
    const notifications = this.#powerLevels?.['notifications'];
    const levels = typeof notifications === 'object' && notifications !== null ? notifications : {};
    return {
      memberCount: this.memberCount,
      roomVersion: this.#version,
      powerLevels: {
        sender: parsed.userLevel(sender),
        notifications: levels as Record<string, unknown>,
      },
    };
  }
}

/** Not of one's own events, of ignored users', or of what was before one came. */
function concerns(member: Member, event: StoredEvent): boolean {
  if (member.userId === event.sender || member.ignored.has(event.sender)) return false;
  const isOwnMembership = event.type === 'm.room.member' && event.stateKey === member.userId;
  if (member.isInvited || isOwnMembership) {
    const isInvite = isOwnMembership && contentOf(event)['membership'] === 'invite';
    return isInvite && member.invites.actionFor(event.sender) === 'allow';
  }
  return event.pos! > member.sincePos;
}
