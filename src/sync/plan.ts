import type { StoredEvent } from '../rooms/module.ts';
import type { RoomOfUser, UserView } from './views/user-view.ts';

/** One room's part of a sync answer. */
export interface RoomPlan {
  room: RoomOfUser;
  section: 'join' | 'invite' | 'knock' | 'leave';
  /** Events after this position; -1: the newest, however old. */
  afterPos: number;
  /** Events up to this position. */
  uptoPos: number;
  /** The client knows nothing of the room: it gets the whole state. */
  isNew: boolean;
  /** Filled in from memory or the database, oldest first, at most `timelineLimit + 1`. */
  events: StoredEvent[] | null;
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

function eventsInMemory(
  room: RoomOfUser,
  afterPos: number,
  options: PlanOptions,
): StoredEvent[] | null {
  const view = room.view;
  if (!view) return null;
  if (afterPos >= 0) {
    const events = view.eventsAfter(afterPos);
    return events && events.length > options.timelineLimit + 1
      ? events.slice(-options.timelineLimit - 1)
      : events;
  }
  const enough = view.window.length > options.timelineLimit || view.windowStart === 0;
  return enough ? view.window.slice(-options.timelineLimit - 1) : null;
}

function joinedPlan(room: RoomOfUser, options: PlanOptions): RoomPlan {
  const isNew = options.since === null || room.joinedPos > options.since;
  const afterPos = isNew ? -1 : options.since!;
  const events = eventsInMemory(room, afterPos, options);
  return { room, section: 'join', afterPos, uptoPos: options.uptoPos, isNew, events };
}

function leftPlan(room: RoomOfUser, options: PlanOptions): RoomPlan {
  const isNew = options.since === null;
  const afterPos = isNew ? -1 : options.since!;
  return { room, section: 'leave', afterPos, uptoPos: room.pos, isNew, events: null };
}

/** The rooms that have something for the client. Joined rooms always come with `fullState`. */
export function planRooms(user: UserView, options: PlanOptions): RoomPlan[] {
  const plans: RoomPlan[] = [];
  const { since } = options;
  for (const room of user.rooms.values()) {
    if (room.membership === 'join') {
      const view = room.view!;
      const isQuiet =
        since !== null &&
        !options.fullState &&
        since >= view.windowStart &&
        view.lastEventPos <= since &&
        room.joinedPos <= since;
      if (!isQuiet && options.wantsRoom(room.roomId)) plans.push(joinedPlan(room, options));
      continue;
    }
    if (since !== null && room.pos <= since) continue;
    if (!options.wantsRoom(room.roomId)) continue;
    if (room.membership === 'invite' || room.membership === 'knock') {
      const { membership: section, pos: uptoPos } = room;
      plans.push({ room, section, afterPos: -1, uptoPos, isNew: true, events: [] });
    } else if (since !== null || options.includeLeave) {
      plans.push(leftPlan(room, options));
    }
  }
  return plans;
}
