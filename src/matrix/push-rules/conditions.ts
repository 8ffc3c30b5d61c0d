import type { JsonValue } from '../pdu.ts';
import { bodyPath, propertyPath, type EventFacts } from './event-facts.ts';
import { compileGlob, containsWord } from './glob.ts';
import type { Condition, SelfCondition } from './rule.ts';

/** What rules look at in a room, besides the event. */
export interface RoomFacts {
  /** Joined members. */
  readonly memberCount: number;
  readonly powerLevels: {
    /** Of the event's sender; null when not known. */
    readonly sender: number | null;
    /** `notifications` of the power levels event. */
    readonly notifications: Readonly<Record<string, unknown>>;
  };
  readonly roomVersion: string;
}

/** Whose rules are evaluated. Texts for matching are in lower case. */
export interface SelfFacts {
  readonly userId: string;
  readonly localpart: string;
  readonly displayName: string | null;
}

/** `self` null: nobody in particular, for whom no condition about oneself holds. */
export type CompiledCondition = (
  event: EventFacts,
  room: RoomFacts,
  self: SelfFacts | null,
) => boolean;

const never: CompiledCondition = () => false;

/** The power level needed to notify a room, when the power levels do not say. */
const notificationLevelDefault = 50;

/** Features of room versions that rules can ask for (MSC3931); no stable version has any. */
const featuresByRoomVersion: Readonly<Record<string, readonly string[]>> = {
  'org.matrix.msc1767.10': ['org.matrix.msc3932.extensible_events'],
};

function isSimple(value: JsonValue | undefined): value is string | number | boolean | null {
  return value !== undefined && (typeof value !== 'object' || value === null);
}

function eventMatch(key: JsonValue | undefined, pattern: JsonValue | undefined): CompiledCondition {
  if (typeof key !== 'string' || typeof pattern !== 'string') return never;
  const glob = compileGlob(pattern.toLowerCase());
  const path = propertyPath(key);
  const isBody = key === bodyPath.key;
  return (event) => {
    const text = event.lowerText(path);
    return text !== null && (isBody ? glob.matchesWords(text) : glob.matches(text));
  };
}

/** A rule's pattern that is to be found in the body. */
export function bodyMatch(pattern: string): CompiledCondition {
  return eventMatch(bodyPath.key, pattern);
}

function propertyIs(key: JsonValue | undefined, value: JsonValue | undefined): CompiledCondition {
  if (typeof key !== 'string' || !isSimple(value)) return never;
  const path = propertyPath(key);
  return (event) => event.property(path) === value;
}

function propertyContains(
  key: JsonValue | undefined,
  value: JsonValue | undefined,
): CompiledCondition {
  if (typeof key !== 'string' || !isSimple(value)) return never;
  const path = propertyPath(key);
  return (event) => {
    const list = event.property(path);
    return Array.isArray(list) && list.includes(value);
  };
}

function memberCount(is: JsonValue | undefined): CompiledCondition {
  const match = typeof is === 'string' ? /^(==|<=|>=|<|>)?(\d{1,15})$/.exec(is) : null;
  if (!match) return never;
  const count = Number(match[2]);
  switch (match[1]) {
    case '<':
      return (_event, room) => room.memberCount < count;
    case '>':
      return (_event, room) => room.memberCount > count;
    case '<=':
      return (_event, room) => room.memberCount <= count;
    case '>=':
      return (_event, room) => room.memberCount >= count;
    default:
      return (_event, room) => room.memberCount === count;
  }
}

/** Power levels of old room versions may be texts. */
function levelOf(value: unknown): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'string' && /^\s*[+-]?\d{1,15}\s*$/.test(value)) return Number(value);
  return notificationLevelDefault;
}

function notificationPermission(key: JsonValue | undefined): CompiledCondition {
  if (typeof key !== 'string') return never;
  return (_event, { powerLevels }) => {
    if (powerLevels.sender === null) return false;
    const { notifications } = powerLevels;
    const needed = Object.hasOwn(notifications, key) ? notifications[key] : undefined;
    return powerLevels.sender >= levelOf(needed);
  };
}

function versionSupports(feature: JsonValue | undefined): CompiledCondition {
  if (typeof feature !== 'string') return never;
  return (_event, { roomVersion }) =>
    Object.hasOwn(featuresByRoomVersion, roomVersion) &&
    featuresByRoomVersion[roomVersion]!.includes(feature);
}

const containsDisplayName: CompiledCondition = (event, _room, self) => {
  if (!self || self.displayName === null) return false;
  const body = event.lowerText(bodyPath);
  return body !== null && containsWord(body, self.displayName);
};

function threadSubscription(subscribed: JsonValue | undefined): CompiledCondition {
  if (typeof subscribed !== 'boolean') return never;
  return ({ threadSubscribers }, _room, self) =>
    threadSubscribers !== null &&
    (self !== null && threadSubscribers.has(self.userId)) === subscribed;
}

/** Compiles a condition of the API. One that is not known, or malformed, never holds. */
export function compileCondition(condition: Condition): CompiledCondition {
  switch (condition.kind) {
    case 'event_match':
      return eventMatch(condition.key, condition.pattern);
    case 'event_property_is':
      return propertyIs(condition.key, condition.value);
    case 'event_property_contains':
      return propertyContains(condition.key, condition.value);
    case 'contains_display_name':
      return containsDisplayName;
    case 'room_member_count':
      return memberCount(condition.is);
    case 'sender_notification_permission':
      return notificationPermission(condition.key);
    case 'org.matrix.msc3931.push.room_version_supports':
      return versionSupports(condition.feature);
    case 'io.element.msc4306.thread_subscription':
      return threadSubscription(condition.subscribed);
    default:
      return never;
  }
}

function isSelf(condition: Condition | SelfCondition): condition is SelfCondition {
  return condition.kind.startsWith('self_');
}

/** Compiles a condition of a default rule. */
export function compileDefaultCondition(condition: Condition | SelfCondition): CompiledCondition {
  if (!isSelf(condition)) return compileCondition(condition);
  if (condition.kind === 'self_named') {
    return (event, _room, self) => {
      const body = self && event.lowerText(bodyPath);
      return typeof body === 'string' && containsWord(body, self!.localpart);
    };
  }
  const path = propertyPath(condition.key);
  if (condition.kind === 'self_is') {
    return (event, _room, self) => self !== null && event.property(path) === self.userId;
  }
  return (event, _room, self) => {
    const list = self && event.property(path);
    return Array.isArray(list) && list.includes(self!.userId);
  };
}
