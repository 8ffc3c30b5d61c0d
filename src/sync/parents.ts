import { relationOf, type PageOfEvents, type StoredEvent } from '../rooms/module.ts';
import type { RoomPlan } from './plan.ts';

/**
 * Events of a timeline that others may refer to. A timeline is whole up to its end, and what refers
 * to an event comes after it: so those that do are there as well, unless left out.
 */
export function parentsIn(plan: RoomPlan, isWhole: boolean): readonly StoredEvent[] {
  const events = plan.events ?? [];
  if (!isWhole) return events;
  const ids = new Set<string>();
  for (const event of events) {
    const relation = relationOf(event);
    if (relation) ids.add(relation.parentId);
  }
  return ids.size === 0 ? [] : events.filter((event) => ids.has(event.eventId));
}

export const pageOf = (plan: RoomPlan, events: readonly StoredEvent[]): PageOfEvents => ({
  roomNid: plan.room.roomNid,
  events,
  uptoPos: plan.uptoPos,
  ...(plan.membershipAt === null
    ? {}
    : { partly: { roomVersion: plan.room.roomVersion, membershipAt: plan.membershipAt } }),
});
