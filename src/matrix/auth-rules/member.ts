import { serverNameOf } from '../ids.ts';
import { verifySignedEvent } from './signed-by.ts';
import { joinRuleIn, membershipIn, type RuleContext } from './context.ts';
import { require } from './not-authorised.ts';
import { checkThirdPartyInvite } from './third-party-invite.ts';

/** Rule for m.room.member: who may change whose membership to what. */
export function checkMember(context: RuleContext): void {
  const { pdu, version } = context;
  const { membership } = pdu.content;
  require(pdu.state_key !== undefined, 'a member event needs a state_key');
  require(typeof membership === 'string', 'a member event needs a membership');
  const authoriser = pdu.content['join_authorised_via_users_server'];
  if (version.restrictedJoins && authoriser !== undefined) {
    require(typeof authoriser === 'string' &&
      verifySignedEvent(
        pdu,
        serverNameOf(authoriser),
      ), 'the server of join_authorised_via_users_server has not signed the join');
  }
  const target = pdu.state_key;
  const checks: Record<string, (context: RuleContext, target: string) => void> = {
    join: checkJoin,
    invite: checkInvite,
    leave: checkLeave,
    ban: checkBan,
  };
  if (version.knocking) checks['knock'] = checkKnock;
  const check = Object.hasOwn(checks, membership) ? checks[membership] : undefined;
  require(check !== undefined, `unknown membership ${membership}`);
  check(context, target);
}

function checkJoin(context: RuleContext, target: string): void {
  const { pdu, state, version, create } = context;
  const isFirst = pdu.prev_events.length === 1 && isAfterCreate(context);
  const creator = version.implicitRoomCreator ? create.sender : create.content['creator'];
  if (isFirst && target === creator) return;
  require(pdu.sender === target, 'users join by themselves only');
  const before = membershipIn(state, target);
  require(before !== 'ban', `${target} is banned from the room`);
  const rule = joinRuleIn(state);
  const isInvited = before === 'join' || before === 'invite';
  if (rule === 'public') return;
  if (isInvited && (rule === 'invite' || (version.knocking && rule === 'knock'))) return;
  const isRestricted =
    (version.restrictedJoins && rule === 'restricted') ||
    (version.knockRestricted && rule === 'knock_restricted');
  if (isRestricted) {
    if (isInvited) return;
    const authoriser = pdu.content['join_authorised_via_users_server'];
    require(typeof authoriser === 'string', 'nobody in the room vouches for the join');
    require(membershipIn(state, authoriser) === 'join' &&
      context.powerLevels.userLevel(authoriser) >=
        context.powerLevels.required('invite'), 'who vouches for the join may not invite');
    return;
  }
  if (rule === 'private' && version.id === '1' && isInvited) return;
  require(false, 'You are not invited to this room.');
}

/** Only the create event comes before. */
function isAfterCreate({ pdu, state }: RuleContext): boolean {
  const created = state.get('m.room.create', '');
  if (!created) return false;
  const previous = pdu.prev_events[0];
  const id = Array.isArray(previous) ? previous[0] : previous;
  return id === created.eventId;
}

function checkInvite(context: RuleContext, target: string): void {
  const { pdu, state, powerLevels } = context;
  if (pdu.content['third_party_invite'] !== undefined) {
    checkThirdPartyInvite(context, target);
    return;
  }
  require(membershipIn(state, pdu.sender) === 'join', `${pdu.sender} is not in the room`);
  const before = membershipIn(state, target);
  require(before !== 'ban', `${target} is banned from the room`);
  require(before !== 'join', `${target} is already in the room.`);
  require(powerLevels.userLevel(pdu.sender) >=
    powerLevels.required('invite'), "You don't have permission to invite users");
}

function checkLeave(context: RuleContext, target: string): void {
  const { pdu, state, powerLevels, version } = context;
  const senderMembership = membershipIn(state, pdu.sender);
  if (pdu.sender === target) {
    const isIn =
      senderMembership === 'join' ||
      senderMembership === 'invite' ||
      (version.knocking && senderMembership === 'knock');
    require(isIn, `${target} is not in the room`);
    return;
  }
  require(senderMembership === 'join', `${pdu.sender} is not in the room`);
  const level = powerLevels.userLevel(pdu.sender);
  if (membershipIn(state, target) === 'ban') {
    require(level >= powerLevels.required('ban'), 'You may not unban users');
  }
  require(level >= powerLevels.required('kick') &&
    powerLevels.userLevel(target) < level, `You cannot kick user ${target}.`);
}

function checkBan(context: RuleContext, target: string): void {
  const { pdu, state, powerLevels } = context;
  require(membershipIn(state, pdu.sender) === 'join', `${pdu.sender} is not in the room`);
  const level = powerLevels.userLevel(pdu.sender);
  require(level >= powerLevels.required('ban') &&
    powerLevels.userLevel(target) < level, `You cannot ban user ${target}.`);
}

function checkKnock(context: RuleContext, target: string): void {
  const { pdu, state, version } = context;
  const rule = joinRuleIn(state);
  const isOpen = rule === 'knock' || (version.knockRestricted && rule === 'knock_restricted');
  require(isOpen, "You don't have permission to knock");
  require(pdu.sender === target, 'users knock by themselves only');
  const before = membershipIn(state, target);
  require(before !== 'ban', `${target} is banned from the room`);
  require(before !== 'invite', `${target} is invited to the room already`);
  require(before !== 'join', `${target} is already in the room.`);
}
