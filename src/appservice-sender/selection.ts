import { isInterestedInUser, type AppserviceRegistration } from '../appservices/registrations.ts';
import type { FeedRow } from './feed.ts';
import type { RoomInterest } from './interests.ts';
import { ephemeralPerTransaction, eventsPerTransaction, messagesPerTransaction } from './limits.ts';

/** The rooms that decide whether a service is told of rows. */
export function roomsOf(service: AppserviceRegistration, rows: readonly FeedRow[]): number[] {
  return rows.flatMap((row) => {
    if (row.kind === 'event') return [row.roomNid];
    if (row.kind === 'receipt') return service.receivesEphemeral ? [row.row.roomNid] : [];
    if (row.kind === 'devices') return service.receivesDeviceUpdates ? row.row.roomNids : [];
    return [];
  });
}

/**
 * Whether a service is told of a row. Source: application service API 1.19, "Registration" and "Pushing
 * ephemeral data"; MSC3202, MSC4203.
 */
export function isFor(
  service: AppserviceRegistration,
  row: FeedRow,
  rooms: ReadonlyMap<number, RoomInterest>,
): boolean {
  const isOfRoom = (roomNid: number) => rooms.get(roomNid)?.isOf(service, row.pos) ?? false;
  switch (row.kind) {
    case 'event':
      return (
        isInterestedInUser(service, row.sender) ||
        (row.memberId !== null && isInterestedInUser(service, row.memberId)) ||
        isOfRoom(row.roomNid)
      );
    case 'receipt':
      if (!service.receivesEphemeral) return false;
      if (row.row.type === 'm.read.private' && !isInterestedInUser(service, row.row.userId)) {
        return false;
      }
      return isOfRoom(row.row.roomNid);
    case 'message':
      return service.receivesEphemeral && isInterestedInUser(service, row.userId);
    case 'devices':
      if (!service.receivesDeviceUpdates) return false;
      return isInterestedInUser(service, row.row.userId) || row.row.roomNids.some(isOfRoom);
  }
}

const most: Record<FeedRow['kind'], number> = {
  event: eventsPerTransaction,
  receipt: ephemeralPerTransaction,
  message: messagesPerTransaction,
  devices: ephemeralPerTransaction,
};

/** The first rows, as many as one transaction bears; `cutPos`: the position of the first that is over. */
export function firstOf(rows: readonly FeedRow[]): { rows: FeedRow[]; cutPos: number | null } {
  const counts = { event: 0, receipt: 0, message: 0, devices: 0 };
  for (const [i, row] of rows.entries()) {
    if (++counts[row.kind] > most[row.kind]) return { rows: rows.slice(0, i), cutPos: row.pos };
  }
  return { rows: [...rows], cutPos: null };
}
