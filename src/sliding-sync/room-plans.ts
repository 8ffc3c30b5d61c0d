import { isQuiet, newPlan, type RoomOfUser, type RoomPlan, type UserView } from '../sync/module.ts';
import { StateDraft, type ConnectionState, type SentRoom } from './connection.ts';
import type { RoomsInView } from './lists.ts';
import { joinWishes, type RoomWish } from './request.ts';
import { RequiredState } from './required-state.ts';

/** What is to be found out, and sent, of one room. */
export interface SlidingPlan {
  plan: RoomPlan;
  wish: RoomWish;
  /** Null: the connection knows nothing of the room. */
  sent: SentRoom | null;
  /** Where the connection is in the room; -1: nowhere. */
  fromPos: number;
  /** The client asks for more of the timeline than it got before. */
  isExpanded: boolean;
  /** The client asks for other state than it got before. */
  isRestated: boolean;
}

export interface PlanContext {
  state: ConnectionState;
  /** Durable position of the client; null: it begins anew. */
  since: number | null;
  uptoPos: number;
}

const sectionOf = (room: RoomOfUser): RoomPlan['section'] =>
  room.membership === 'join' || room.membership === 'invite' || room.membership === 'knock'
    ? room.membership
    : 'leave';

/** Whether the user has left by themselves, or wants to see no more of the room. */
export const isGone = (room: RoomOfUser, userNid: number): boolean =>
  sectionOf(room) === 'leave' &&
  (room.isForgotten || (room.membership === 'leave' && room.senderNid === userNid));

/** The own member event, which tells how a room was left: clients go by the state. */
export function ownMemberWish(userId: string, timelineLimit: number): RoomWish {
  const requiredState = new RequiredState();
  requiredState.add('m.room.member', '$ME', userId);
  return { timelineLimit, requiredState };
}

/** A room that the user was made to leave, and the connection does not know: as it was then. */
function planRemoved(room: RoomOfUser, wish: RoomWish, userId: string): SlidingPlan {
  const plan = newPlan(room, {
    section: 'leave',
    afterPos: -1,
    uptoPos: room.pos,
    isNew: true,
    events: null,
  });
  const withOwn = joinWishes(wish, ownMemberWish(userId, wish.timelineLimit));
  return { plan, wish: withOwn, sent: null, fromPos: -1, isExpanded: false, isRestated: false };
}

function planRoom(room: RoomOfUser, wish: RoomWish, context: PlanContext): SlidingPlan | null {
  const { state, since, uptoPos } = context;
  let sent = state.rooms.get(room.roomNid) ?? null;
  const reached = sent && (sent.uptoPos || since!);
  const section = sectionOf(room);
  const isJoined = section === 'join';
  // Who has come back begins anew.
  const isBack = reached !== null && isJoined && room.isJoinedPosExact && room.joinedPos > reached;
  if (isBack || (!isJoined && reached !== null && room.pos > reached)) sent = null;
  const fromPos = sent ? reached! : -1;
  const signature = wish.requiredState.signature();
  const isExpanded = sent !== null && isJoined && wish.timelineLimit > sent.timelineLimit;
  const isRestated = sent !== null && isJoined && state.signatures[sent.signature] !== signature;
  if (sent && !isExpanded && !isRestated && (!isJoined || isQuiet(room, fromPos))) return null;
  // Where the user may have been away, what the timeline brings is looked at one by one.
  const isDoubtful = isJoined && !room.isJoinedPosExact && room.joinedPos > fromPos;
  const afterPos = isExpanded ? -1 : fromPos;
  const events = isJoined ? (afterPos >= 0 ? room.view!.eventsAfter(afterPos) : null) : [];
  const plan = newPlan(room, {
    section,
    afterPos,
    uptoPos: isJoined ? uptoPos : room.pos,
    isNew: sent === null || isExpanded || isDoubtful,
    events,
  });
  return { plan, wish, sent, fromPos, isExpanded, isRestated };
}

/** A room that the connection knows and the user is no longer in: how it ended. */
function planLeft(
  room: RoomOfUser,
  userId: string,
  sent: SentRoom,
  { since }: PlanContext,
): SlidingPlan | null {
  const fromPos = sent.uptoPos || since!;
  if (room.pos <= fromPos || room.isForgotten) return null;
  const wish = ownMemberWish(userId, sent.timelineLimit);
  const plan = newPlan(room, {
    section: 'leave',
    afterPos: fromPos,
    uptoPos: room.pos,
    isNew: false,
    events: null,
  });
  return { plan, wish, sent, fromPos, isExpanded: false, isRestated: false };
}

/** What may have to be sent of the rooms in view, and of those that were left. */
export function planAnswer(
  { rooms, userId }: Pick<UserView, 'rooms' | 'userId'>,
  view: RoomsInView,
  context: PlanContext,
): SlidingPlan[] {
  const plans: SlidingPlan[] = [];
  for (const [roomNid, wish] of view.wishes) {
    const room = rooms.get(roomNid)!;
    const isLeft = sectionOf(room) === 'leave';
    if (isLeft && context.state.rooms.has(roomNid)) continue;
    const plan = isLeft ? planRemoved(room, wish, userId) : planRoom(room, wish, context);
    if (plan) plans.push(plan);
  }
  for (const [roomNid, sent] of context.state.rooms) {
    const room = rooms.get(roomNid);
    if (!room || sectionOf(room) !== 'leave') continue;
    const plan = planLeft(room, userId, sent, context);
    if (plan) plans.push(plan);
  }
  return plans;
}

/**
 * The connection's state when the answer has been sent. Rooms out of view in which something
 * happened stay where they are: all that is written of them is from where.
 */
export function draftOf(
  rooms: ReadonlyMap<number, RoomOfUser>,
  view: RoomsInView,
  context: PlanContext,
): StateDraft {
  const draft = new StateDraft(context.state);
  const { since } = context;
  for (const [roomNid, sent] of context.state.rooms) {
    const room = rooms.get(roomNid);
    const isInView = view.wishes.has(roomNid);
    if (!room || (sectionOf(room) === 'leave' && !isInView)) draft.delete(roomNid);
    else if (sent.uptoPos === 0 && !isInView && mayHaveNews(room, since!)) {
      draft.set(roomNid, { ...sent, uptoPos: since! });
    }
  }
  return draft;
}

/** Up to where a connection has a room in view: what was left goes no further. */
export const shownUpto = (room: RoomOfUser): number => (sectionOf(room) === 'leave' ? room.pos : 0);

function mayHaveNews(room: RoomOfUser, since: number): boolean {
  const { view } = room;
  if (!view) return room.pos > since;
  return !isQuiet(room, since) || since < view.createdPos || view.receiptPos > since;
}
