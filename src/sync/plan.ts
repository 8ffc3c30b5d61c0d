import type { StoredEvent } from '../rooms/module.ts';
import type { StateWanted } from './store/room-states.ts';
import type { RoomOfUser, UserView } from './views/user-view.ts';

/** One room's part of a sync answer; first what is to be found out, then what was. */
export interface RoomPlan {
  room: RoomOfUser;
  section: 'join' | 'invite' | 'knock' | 'leave';
  /** Events after this position; -1: the newest, however old. */
  afterPos: number;
  /** Events up to this position. */
  uptoPos: number;
  /** The client knows nothing of the room: it gets the whole state. */
  isNew: boolean;
  /** Oldest first, at most one more than the limit; null until loaded. */
  events: StoredEvent[] | null;
  /** Events between `afterPos` and the first of `events` are missing. */
  isLimited: boolean;
  /** Forks met in this stretch: the state may have changed otherwise than the events say. */
  hasForks: boolean;
  /** The stretches of state wanted from the database. */
  stateWanted: readonly StateWanted[];
  state: StoredEvent[];
  /** The user's membership at an event; null: joined at all of them. */
  membershipAt: ((event: StoredEvent) => string) | null;
  /** The user has never been in the room that is shown as left: its state is not for them. */
  isStateHidden: boolean;
  /** What the summary tells may have changed. */
  isSummaryDoubtful: boolean;
  summary: RoomSummary | null;
}

export interface RoomSummary {
  joinedCount: number;
  invitedCount: number;
  /** Null: the room has a name of its own. */
  heroes: string[] | null;
}

export interface PlanOptions {
  /** Durable position of the client; null for an initial sync. */
  since: number | null;
  uptoPos: number;
  timelineLimit: number;
  includeLeave: boolean;
  fullState: boolean;
  wantsRoom(roomId: string): boolean;
}

/** A room's part of an answer, with nothing found out yet. */
export function newPlan(
  room: RoomOfUser,
  parts: Pick<RoomPlan, 'section' | 'afterPos' | 'uptoPos' | 'isNew' | 'events'>,
): RoomPlan {
  return {
    room,
    ...parts,
    isLimited: false,
    hasForks: false,
    stateWanted: [],
    state: [],
    membershipAt: null,
    isStateHidden: false,
    isSummaryDoubtful: false,
    summary: null,
  };
}

/** The events after a position as far as they are in memory, all or none. */
function eventsInMemory(
  room: RoomOfUser,
  afterPos: number,
  options: PlanOptions,
): StoredEvent[] | null {
  const { view } = room;
  if (!view) return null;
  if (afterPos >= 0) return view.eventsAfter(afterPos);
  const isEnough = view.window.length > options.timelineLimit || view.windowStart === 0;
  return isEnough ? view.window : null;
}

/** A joined room, whether anything has happened there or not. */
export function joinedPlan(room: RoomOfUser, options: PlanOptions): RoomPlan {
  const { since, uptoPos } = options;
  const isNew = since === null || room.joinedPos > since;
  const afterPos = isNew ? -1 : since;
  const events = eventsInMemory(room, afterPos, options);
  return newPlan(room, { section: 'join', afterPos, uptoPos, isNew, events });
}

/** Whether nothing can have happened in a joined room's timeline since. */
export function isQuiet(room: RoomOfUser, since: number): boolean {
  const view = room.view!;
  return since >= view.windowStart && view.lastEventPos <= since && room.joinedPos <= since;
}

/** The rooms with something new in their timelines. Joined rooms always come with `fullState`. */
export function planRooms(user: UserView, options: PlanOptions): Map<number, RoomPlan> {
  const plans = new Map<number, RoomPlan>();
  const { since } = options;
  for (const room of user.rooms.values()) {
    if (room.membership === 'join') {
      if (since !== null && !options.fullState && isQuiet(room, since)) continue;
      if (options.wantsRoom(room.roomId)) plans.set(room.roomNid, joinedPlan(room, options));
      continue;
    }
    if (since === null ? room.isForgotten : room.pos <= since) continue;
    if (!options.wantsRoom(room.roomId)) continue;
    const uptoPos = room.pos;
    if (room.membership === 'invite' || room.membership === 'knock') {
      const section: RoomPlan['section'] = room.membership;
      const parts = { section, afterPos: -1, uptoPos, isNew: true, events: [] };
      plans.set(room.roomNid, newPlan(room, parts));
    } else if (since !== null || options.includeLeave) {
      const isNew = since === null;
      const parts = {
        section: 'leave',
        afterPos: since ?? -1,
        uptoPos,
        isNew,
        events: null,
      } as const;
      plans.set(room.roomNid, newPlan(room, parts));
    }
  }
  return plans;
}
