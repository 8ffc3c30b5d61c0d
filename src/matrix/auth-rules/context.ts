import type { AuthState, Pdu } from '../pdu.ts';
import { creatorsOf, parsePowerLevels, type PowerLevels } from '../power-levels.ts';
import type { RoomVersion } from '../room-versions.ts';

/** What the rules for one event look at. */
export interface RuleContext {
  version: RoomVersion;
  pdu: Pdu;
  state: AuthState;
  create: Pdu;
  powerLevels: PowerLevels;
}

export function contextOf(
  version: RoomVersion,
  pdu: Pdu,
  state: AuthState,
  create: Pdu,
): RuleContext {
  const levels = state.get('m.room.power_levels', '')?.pdu;
  return { version, pdu, state, create, powerLevels: parsePowerLevels(version, levels, create) };
}

/** A user's membership in the state; `leave` when there is none. */
export function membershipIn(state: AuthState, userId: string): string {
  const membership = state.get('m.room.member', userId)?.pdu.content['membership'];
  return typeof membership === 'string' ? membership : 'leave';
}

/** The room's join rule; `invite` when there is none. */
export function joinRuleIn(state: AuthState): string {
  const rule = state.get('m.room.join_rules', '')?.pdu.content['join_rule'];
  return typeof rule === 'string' ? rule : 'invite';
}

/** Whoever made the room, by the version's way of saying so. */
export function isCreator({ version, create }: RuleContext, userId: string): boolean {
  if (version.privilegedCreators) return creatorsOf(version, create).includes(userId);
  const creator = version.implicitRoomCreator ? create.sender : create.content['creator'];
  return creator === userId;
}
