import type { TimelinePlace } from '../streams/position.ts';
import { placeAt } from './read-page.ts';
import { visibilityOf } from './read-access.ts';
import type { AccessUser, RoomAccess } from './room-access.ts';
import type { RoomServices } from './services.ts';
import type { StoredEvent } from './stored-event.ts';

/**
 * The event nearest to a time; null: there is none. Where it may be in history that is not known here,
 * other servers are asked. Source: client-server spec, getEventByTimestamp.
 */
export async function nearestEvent(
  services: RoomServices,
  access: RoomAccess,
  { userId }: AccessUser,
  { ts, dir }: { ts: number; dir: 'b' | 'f' },
): Promise<StoredEvent | null> {
  const { timeline, elsewhere } = services;
  const { roomNid } = access;
  const known = await timeline.nearest(roomNid, ts, dir);
  const gaps = await gapsBeside(services, roomNid, known, dir);
  if (gaps.length === 0) return known;
  const visibility = await visibilityOf(services, roomNid, userId);
  if (!gaps.some((gap) => visibility.allowsBelow(gap))) return known;
  const wish = { ts, direction: dir, knownTs: known?.originServerTs ?? null };
  const isNearer = await elsewhere.fetchNearest(access, wish);
  return isNearer ? timeline.nearest(roomNid, ts, dir) : known;
}

/** Gaps in which there may be a nearer event than the nearest that is known. */
async function gapsBeside(
  { history }: RoomServices,
  roomNid: number,
  known: StoredEvent | null,
  direction: 'b' | 'f',
): Promise<TimelinePlace[]> {
  if (!known) return history.gaps(roomNid);
  if (direction === 'f') return known.isAfterGap ? [placeAt(known)] : [];
  const gap = await history.gapAt(roomNid, placeAt(known));
  return gap ? [gap] : [];
}
