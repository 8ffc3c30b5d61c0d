import { contextOf, membershipIn, type RuleContext } from './auth-rules/context.ts';
import { checkCreate } from './auth-rules/create.ts';
import { checkMember } from './auth-rules/member.ts';
import { require } from './auth-rules/not-authorised.ts';
import { ownerOf } from './auth-rules/owned-state.ts';
import { checkPowerLevelsChange } from './auth-rules/power-levels-change.ts';
import { serverNameOf } from './ids.ts';
import { isJsonObject, type AuthState, type Pdu } from './pdu.ts';
import type { RoomVersion } from './room-versions.ts';

export { ownerOf };
export { NotAuthorised } from './auth-rules/not-authorised.ts';

/** A key of room state. */
export type StateKey = readonly [type: string, stateKey: string];

/**
 * The state entries an event names in its auth_events, as far as they exist. Source:
 * server-server spec, "Auth events selection".
 */
export function authTypesFor(version: RoomVersion, pdu: Pdu): StateKey[] {
  if (pdu.type === 'm.room.create') return [];
  const keys: StateKey[] = [];
  // From version 12 on the room id names the create event.
  if (!version.roomIdIsCreateHash) keys.push(['m.room.create', '']);
  keys.push(['m.room.power_levels', ''], ['m.room.member', pdu.sender]);
  if (pdu.type === 'm.room.member' && pdu.state_key !== undefined) {
    keys.push(...memberKeys(version, pdu, pdu.state_key));
  }
  return keys;
}

function memberKeys(version: RoomVersion, pdu: Pdu, target: string): StateKey[] {
  const keys: StateKey[] = [];
  if (target !== pdu.sender) keys.push(['m.room.member', target]);
  const { membership } = pdu.content;
  if (membership === 'join' || membership === 'invite' || membership === 'knock') {
    keys.push(['m.room.join_rules', '']);
  }
  const invite = pdu.content['third_party_invite'];
  if (membership === 'invite' && isJsonObject(invite) && isJsonObject(invite['signed'])) {
    const { token } = invite['signed'];
    if (typeof token === 'string') keys.push(['m.room.third_party_invite', token]);
  }
  const authoriser = pdu.content['join_authorised_via_users_server'];
  if (version.restrictedJoins && membership === 'join' && typeof authoriser === 'string') {
    keys.push(['m.room.member', authoriser]);
  }
  return keys;
}

/** Redactions by the redactor's server or level, in versions that check when they are sent. */
function checkRedaction({ pdu, powerLevels }: RuleContext): void {
  if (powerLevels.userLevel(pdu.sender) >= powerLevels.required('redact')) return;
  require(pdu.redacts !== undefined &&
    serverNameOf(pdu.redacts) ===
      serverNameOf(pdu.sender), "You don't have permission to redact events");
}

function checkAliases({ pdu }: RuleContext): void {
  require(pdu.state_key !== undefined, 'an aliases event needs a state_key');
  require(pdu.state_key ===
    serverNameOf(pdu.sender), 'the state_key of an aliases event is the server of its sender');
}

/**
 * Checks an event against the state before it. Throws NotAuthorised. Signatures, and that the auth
 * events are the right ones, are checked when events are received. Source: "Authorization rules"
 * of each room version.
 */
export function checkAuthorised(version: RoomVersion, pdu: Pdu, state: AuthState): void {
  if (pdu.type === 'm.room.create') {
    checkCreate(version, pdu);
    return;
  }
  const create = state.get('m.room.create', '')?.pdu;
  require(create !== undefined, 'the room has no create event');
  if (create.content['m.federate'] === false) {
    require(serverNameOf(pdu.sender) ===
      serverNameOf(create.sender), 'this room is for users of one server only');
  }
  const context = contextOf(version, pdu, state, create);
  if (version.aliasEventAuth && pdu.type === 'm.room.aliases') {
    checkAliases(context);
    return;
  }
  if (pdu.type === 'm.room.member') {
    checkMember(context);
    return;
  }
  const { powerLevels } = context;
  require(membershipIn(state, pdu.sender) ===
    'join', `User ${pdu.sender} not in room ${pdu.room_id ?? ''}`);
  const level = powerLevels.userLevel(pdu.sender);
  if (pdu.type === 'm.room.third_party_invite') {
    require(level >= powerLevels.required('invite'), "You don't have permission to invite users");
    return;
  }
  const needed = powerLevels.requiredToSend(pdu.type, pdu.state_key !== undefined);
  require(level >=
    needed, `You don't have permission to post that to the room. ${level} < ${needed} for ${pdu.type}`);
  if (pdu.state_key?.startsWith('@') && pdu.state_key !== pdu.sender) {
    const owner = version.ownedState ? ownerOf(pdu.state_key) : null;
    const isAllowed =
      owner !== null && (owner === pdu.sender || level > powerLevels.userLevel(owner));
    require(isAllowed, "You are not allowed to set others' state");
  }
  if (pdu.type === 'm.room.power_levels') checkPowerLevelsChange(context);
  else if (version.redactionAuth && pdu.type === 'm.room.redaction') checkRedaction(context);
}
