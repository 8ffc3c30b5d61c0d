import { MatrixError } from '../kernel/errors.ts';
import { serverNameOf } from '../matrix/ids.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import { checkActorMayInvite } from './invite-checks.ts';
import { takeLimit } from './limits.ts';
import { memberContent } from './member-content.ts';
import type { Actor } from './needs.ts';
import { predecessorIn } from './predecessor.ts';
import { examineJoin } from './restricted-join.ts';
import type { RoomAccess } from './room-access.ts';
import type { RoomServices } from './services.ts';
import { forgottenRoomStream } from './streams.ts';
import { contentOf } from './stored-event.ts';
import type { AppendRequest, ProtoEvent } from './writer/proto-event.ts';

interface Change {
  roomId: string;
  sender: string;
  target: string;
  content: JsonObject;
  expect?: AppendRequest['expect'];
  /** As in ProtoEvent. */
  originServerTs?: number;
}

async function change(services: RoomServices, wanted: Change): Promise<string> {
  const { roomId, sender, target, content, expect, originServerTs } = wanted;
  const event: ProtoEvent = { sender, type: 'm.room.member', stateKey: target, content };
  if (originServerTs !== undefined) event.originServerTs = originServerTs;
  const request: AppendRequest = { roomId, events: [event], skipUnchangedState: true };
  if (expect) request.expect = expect;
  return (await services.writer.append(request))[0]!.eventId;
}

/** Whether other servers have to be asked: none of this server's users is in the room. */
async function isElsewhere({ foreign }: RoomServices, access: RoomAccess | null): Promise<boolean> {
  if (access?.membership === 'join') return false;
  return access === null || !(await foreign.isResident(access.roomNid));
}

/** Servers that may know of a room: those that are named, and that of whoever has invited the user. */
async function serversFor(
  services: RoomServices,
  access: RoomAccess | null,
  actor: Actor,
  named: readonly string[],
): Promise<string[]> {
  const inviter = access && (await services.members.changerOf(access.roomNid, actor.userNid));
  return inviter === null ? [...named] : [...named, serverNameOf(inviter)];
}

/** What a user has set for the room that this one replaces moves along. */
async function carryFromPredecessor(services: RoomServices, actor: Actor, roomId: string) {
  const { roomNid } = await services.access.joined(roomId, actor);
  const [create] = await services.states.entries(roomNid, [['m.room.create', '']]);
  const predecessor = predecessorIn(create && contentOf(create));
  if (predecessor !== null) await services.roomData.carry(actor.userNid, predecessor, roomId);
}

/** How a user comes into a room. */
export interface Entrance {
  /** Servers that may be in the room. */
  servers?: readonly string[];
  /** As in ProtoEvent. */
  originServerTs?: number;
}

/** Joins; nothing happens when the user is there already. Gives the id of the member event. */
export async function join(
  services: RoomServices,
  actor: Actor,
  roomId: string,
  extra: JsonObject = {},
  { servers = [], ...at }: Entrance = {},
): Promise<string> {
  const access = await services.access.of(roomId, actor.userNid);
  if (access?.membership !== 'join') takeLimit(services, actor, 'join_room', roomId);
  if (access === null || (await isElsewhere(services, access))) {
    takeLimit(services, actor, 'join_remote', actor.userId);
    const [content, known] = await Promise.all([
      memberContent(services.profiles, actor.userId, 'join', extra),
      serversFor(services, access, actor, servers),
      services.blocks.check(roomId),
    ]);
    const eventId = await services.elsewhere.join(actor, roomId, known, content);
    await carryFromPredecessor(services, actor, roomId);
    await services.elsewhere.hasEntered(actor, roomId);
    return eventId;
  }
  const [{ authoriser, vouchingServers, predecessor }, content] = await Promise.all([
    examineJoin(services, access, actor),
    memberContent(services.profiles, actor.userId, 'join', extra),
  ]);
  if (actor.isGuest) content['kind'] = 'guest';
  if (vouchingServers !== null) {
    takeLimit(services, actor, 'join_remote', actor.userId);
    const known = [...vouchingServers, ...servers];
    const eventId = await services.elsewhere.join(actor, roomId, known, content);
    if (predecessor !== null) await services.roomData.carry(actor.userNid, predecessor, roomId);
    return eventId;
  }
  if (authoriser !== null) content['join_authorised_via_users_server'] = authoriser;
  const { userId } = actor;
  const event = { ...at, roomId, sender: userId, target: userId, content };
  const eventId = await change(services, event);
  if (access.membership === 'join') return eventId;
  if (predecessor !== null) await services.roomData.carry(actor.userNid, predecessor, roomId);
  await services.elsewhere.hasEntered(actor, roomId);
  return eventId;
}

/** Asks to be let in. */
export async function knock(
  services: RoomServices,
  actor: Actor,
  roomId: string,
  reason: string | undefined,
  servers: readonly string[] = [],
): Promise<void> {
  const access = await services.access.of(roomId, actor.userNid);
  const content = await memberContent(services.profiles, actor.userId, 'knock', {
    reason: reason as string,
  });
  if (await isElsewhere(services, access)) {
    await services.blocks.check(roomId);
    const known = await serversFor(services, access, actor, servers);
    await services.elsewhere.knock(actor, roomId, known, content);
    return;
  }
  await change(services, { roomId, sender: actor.userId, target: actor.userId, content });
}

/** Leaves, rejects an invite or takes back a knock. */
export async function leave(
  services: RoomServices,
  actor: Actor,
  roomId: string,
  reason: string | undefined,
): Promise<void> {
  const access = await services.access.of(roomId, actor.userNid);
  if (!access) throw new MatrixError('M_NOT_FOUND', 'This server does not know the room');
  const content: JsonObject = { membership: 'leave' };
  if (reason !== undefined) content['reason'] = reason;
  const isAsked = access.membership === 'invite' || access.membership === 'knock';
  if (isAsked && (await isElsewhere(services, access))) {
    const known = await serversFor(services, access, actor, []);
    await services.elsewhere.leave(actor, roomId, known, content);
  } else {
    await change(services, { roomId, sender: actor.userId, target: actor.userId, content });
  }
  if (services.config.forgetsRoomsOnLeave) await forget(services, actor, roomId);
}

/** No longer shows the room to a user who has left it. Invited users turn the invite down first. */
export async function forget(services: RoomServices, actor: Actor, roomId: string): Promise<void> {
  const access = await services.access.of(roomId, actor.userNid);
  if (!access || access.pos === 0) {
    throw new MatrixError('M_UNKNOWN', `You have never been in the room ${roomId}`);
  }
  if (access.isForgotten) return;
  if (!(await services.members.forget(actor.userNid, access.roomNid))) {
    throw new MatrixError('M_UNKNOWN', `User ${actor.userId} has not left room ${roomId}`);
  }
  await tellForgotten(services, access, [actor.userNid]);
}

/** No longer shows a room to any of this server's users; all have left it. */
export async function forgetAll(
  services: RoomServices,
  room: { roomId: string; roomNid: number },
): Promise<void> {
  await tellForgotten(services, room, await services.members.forgetAll(room.roomNid));
}

async function tellForgotten(
  { access, bus, forgotten }: RoomServices,
  { roomId, roomNid }: { roomId: string; roomNid: number },
  userNids: readonly number[],
): Promise<void> {
  for (const userNid of userNids) access.forget(roomId, userNid);
  bus.publish(
    userNids.map((userNid) => ({
      stream: forgottenRoomStream,
      pos: bus.nextEphemeral(),
      row: { userNid, roomNid },
    })),
  );
  await Promise.all([bus.delivered(), forgotten({ roomId, roomNid })]);
}

/** Invites a user. `isDirect` marks the invite as that to a direct chat. */
export async function invite(
  services: RoomServices,
  actor: Actor,
  roomId: string,
  target: string,
  options: { reason?: string | undefined; isDirect?: boolean } = {},
): Promise<void> {
  await services.access.joined(roomId, actor);
  await checkActorMayInvite(services, actor, [target]);
  const extra: JsonObject = {};
  if (options.reason !== undefined) extra['reason'] = options.reason;
  if (options.isDirect) extra['is_direct'] = true;
  const content = await memberContent(services.profiles, target, 'invite', extra);
  if (serverNameOf(target) !== services.config.serverName) {
    await services.elsewhere.invite(actor, roomId, target, content);
    return;
  }
  await change(services, { roomId, sender: actor.userId, target, content });
}

interface Removal {
  membership: 'leave' | 'ban';
  reason: string | undefined;
  /** What the target must be. */
  from?: string[];
  otherwise?: string;
}

async function remove(
  services: RoomServices,
  actor: Actor,
  roomId: string,
  target: string,
  removal: Removal,
): Promise<void> {
  await services.access.joined(roomId, actor);
  const content: JsonObject = { membership: removal.membership };
  if (removal.reason !== undefined) content['reason'] = removal.reason;
  const wanted: Change = { roomId, sender: actor.userId, target, content };
  if (removal.from) {
    wanted.expect = {
      userId: target,
      memberships: removal.from,
      otherwise: removal.otherwise!,
    };
  }
  await change(services, wanted);
}

/** Takes a member, an invite or a knock back out. */
export const kick = (
  services: RoomServices,
  actor: Actor,
  roomId: string,
  target: string,
  reason: string | undefined,
) =>
  remove(services, actor, roomId, target, {
    membership: 'leave',
    reason,
    from: ['join', 'invite', 'knock'],
    otherwise: 'The target user is not in the room',
  });

export const ban = (
  services: RoomServices,
  actor: Actor,
  roomId: string,
  target: string,
  reason: string | undefined,
) => remove(services, actor, roomId, target, { membership: 'ban', reason });

export const unban = (
  services: RoomServices,
  actor: Actor,
  roomId: string,
  target: string,
  reason: string | undefined,
) =>
  remove(services, actor, roomId, target, {
    membership: 'leave',
    reason,
    from: ['ban'],
    otherwise: 'Cannot unban user who was not banned',
  });
