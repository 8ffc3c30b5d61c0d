import { MatrixError } from '../kernel/errors.ts';
import type { AccessUser, RoomAccess } from './room-access.ts';
import type { TimelineReader } from './read-page.ts';
import { notInRoom } from './room-access.ts';
import { withoutExpired } from './retention.ts';
import type { RoomServices } from './services.ts';
import { visibilityFor, withoutSenders, type Visibility } from './visibility.ts';

/** How far a user may read a room. */
export interface ReadAccess {
  access: RoomAccess;
  /** The position whose state the user may see; null: the newest. */
  atPos: number | null;
}

export async function visibilityOf(
  services: RoomServices,
  roomNid: number,
  userId: string,
): Promise<Visibility> {
  return visibilityFor(userId, await services.states.visibilityHistory(roomNid, userId));
}

/**
 * The state a user may read: the newest for those joined and in world-readable rooms, that of
 * their leaving for former members. Throws M_FORBIDDEN.
 */
export async function readableState(
  services: RoomServices,
  roomId: string,
  user: AccessUser,
): Promise<ReadAccess> {
  const access = await services.access.of(roomId, user.userNid);
  if (!access) throw notInRoom(user.userId, roomId);
  if (access.membership === 'join') return { access, atPos: null };
  const visibility = await visibilityOf(services, access.roomNid, user.userId);
  if (visibility.isWorldReadableNow) return { access, atPos: null };
  if (visibility.lastJoinedPos >= 0 && !access.isForgotten) {
    return { access, atPos: visibility.lastJoinedPos + 1 };
  }
  throw notInRoom(user.userId, roomId);
}

/** What of a room's timeline a user may and wants to see. */
export async function timelineVisibility(
  services: RoomServices,
  roomNid: number,
  { userId, userNid }: AccessUser,
): Promise<Visibility> {
  const [visibility, ignored, since] = await Promise.all([
    visibilityOf(services, roomNid, userId),
    services.ignoredUsers(userNid),
    services.retention.shownSince([roomNid]),
  ]);
  return withoutExpired(withoutSenders(visibility, ignored), since.get(roomNid));
}

/** A room that may be looked into without being in it (client-server spec, "Room previews"). */
export async function worldReadable(
  services: RoomServices,
  roomId: string,
  { userId, userNid }: AccessUser,
): Promise<RoomAccess | null> {
  const access = await services.access.of(roomId, userNid);
  if (!access) return null;
  const { isWorldReadableNow } = await visibilityOf(services, access.roomNid, userId);
  return isWorldReadableNow ? access : null;
}

/**
 * A room and all that is known here of its timeline, for an admin: no other server is asked for more.
 * Throws M_NOT_FOUND.
 */
export async function wholeTimeline(
  services: RoomServices,
  roomId: string,
  user: AccessUser,
): Promise<TimelineReader> {
  const access = await services.access.of(roomId, user.userNid);
  if (!access) throw new MatrixError('M_NOT_FOUND', 'Room not found');
  const visibility = await visibilityOf(services, access.roomNid, user.userId);
  const all = { allows: () => true, allowsBelow: () => false, isWorldReadableNow: true };
  return { user, access, visibility: { ...visibility, ...all } };
}

/** The room and what of its timeline the user may and wants to see. Throws M_FORBIDDEN. */
export async function readableTimeline(
  services: RoomServices,
  roomId: string,
  user: AccessUser,
): Promise<TimelineReader> {
  const access = await services.access.of(roomId, user.userNid);
  if (!access) throw notInRoom(user.userId, roomId);
  const visibility = await timelineVisibility(services, access.roomNid, user);
  const wasMember = visibility.lastJoinedPos >= 0 && !access.isForgotten;
  if (access.membership !== 'join' && !wasMember && !visibility.isWorldReadableNow) {
    throw notInRoom(user.userId, roomId);
  }
  return { user, access, visibility };
}
