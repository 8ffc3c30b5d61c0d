import type { JsonObject, JsonValue, Pdu } from './pdu.ts';
import type { RoomVersion } from './room-versions.ts';

export type PowerAction =
  | 'ban'
  | 'kick'
  | 'invite'
  | 'redact'
  | 'events_default'
  | 'state_default'
  | 'users_default';

/** The power levels of a room. */
export interface PowerLevels {
  /** Infinity for creators from room version 12 on. */
  userLevel(userId: string): number;
  required(action: PowerAction): number;
  requiredToSend(type: string, isState: boolean): number;
  /** What `@room` and the like need; 50 unless set. */
  notificationLevel(key: string): number;
}

const defaults: Record<PowerAction, number> = {
  ban: 50,
  kick: 50,
  invite: 0,
  redact: 50,
  events_default: 0,
  state_default: 50,
  users_default: 0,
};
/** Without a power levels event everything but state is open, and state too. */
const defaultsWithoutEvent: Record<PowerAction, number> = { ...defaults, state_default: 0 };

const integerText = /^\s*[+-]?\d+\s*$/;

/** A level as the room version reads it; null when it is none. */
export function levelOf(version: RoomVersion, value: JsonValue | undefined): number | null {
  if (typeof value === 'number') {
    if (version.integerPowerLevels) return Number.isInteger(value) ? value : null;
    return Math.trunc(value);
  }
  if (version.integerPowerLevels || typeof value !== 'string') return null;
  return integerText.test(value) ? Number(value) : null;
}

const objectOf = (value: JsonValue | undefined): JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};

/** The users above all levels: the room's creators, from version 12 on. */
export function creatorsOf(
  version: RoomVersion,
  create: Pick<Pdu, 'sender' | 'content'>,
): string[] {
  if (!version.privilegedCreators) return [];
  const added = create.content['additional_creators'];
  const others = Array.isArray(added) ? added.filter((id) => typeof id === 'string') : [];
  return [create.sender, ...others];
}

/**
 * Reads the levels out of m.room.power_levels, which may be absent. Source: client-server spec,
 * "m.room.power_levels", and the authorisation rules of the version.
 */
export function parsePowerLevels(
  version: RoomVersion,
  powerLevels: Pick<Pdu, 'content'> | undefined,
  create: Pick<Pdu, 'sender' | 'content'>,
): PowerLevels {
  const content = powerLevels?.content ?? {};
  const byDefault = powerLevels ? defaults : defaultsWithoutEvent;
  const users = objectOf(content['users']);
  const events = objectOf(content['events']);
  const notifications = objectOf(content['notifications']);
  const creators = new Set(creatorsOf(version, create));
  const required = (action: PowerAction) => levelOf(version, content[action]) ?? byDefault[action];
  const creator = version.implicitRoomCreator ? create.sender : create.content['creator'];

  return {
    userLevel(userId) {
      if (creators.has(userId)) return Infinity;
      if (!powerLevels) return userId === creator ? 100 : 0;
      const own = Object.hasOwn(users, userId) ? levelOf(version, users[userId]) : null;
      return own ?? required('users_default');
    },
    required,
    requiredToSend(type, isState) {
      const own = Object.hasOwn(events, type) ? levelOf(version, events[type]) : null;
      return own ?? required(isState ? 'state_default' : 'events_default');
    },
    notificationLevel: (key) =>
      (Object.hasOwn(notifications, key) ? levelOf(version, notifications[key]) : null) ?? 50,
  };
}
