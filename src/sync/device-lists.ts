import { contentOf, type StoredEvent } from '../rooms/module.ts';
import { isQuiet } from './plan.ts';
import type { DeviceListChanges, SyncSources } from './sources.ts';
import type { SharingStore, SharingWanted } from './store/sharing.ts';
import type { UserView } from './views/user-view.ts';

const nothing: DeviceListChanges = { changed: [], left: [] };

/** The user who has come to a room, or gone, with a member event; null: neither. */
function cameOrWent(event: StoredEvent): string | null {
  if (event.type !== 'm.room.member') return null;
  const { membership } = contentOf(event);
  const wasJoined = event.unsigned?.includes('"membership":"join"') ?? false;
  if (membership === 'join') return wasJoined ? null : event.stateKey;
  // The state of a room that an invite brings is no former membership.
  const isGone = membership === 'leave' || membership === 'ban';
  return isGone && wasJoined ? event.stateKey : null;
}

/** Who may share rooms with the reader only now, or no longer; null: nobody. */
function sharingWanted(user: UserView, afterPos: number, uptoPos: number): SharingWanted | null {
  const entered: number[] = [];
  const left: number[] = [];
  const unseen: number[] = [];
  const userIds = new Set<string>();
  for (const room of user.rooms.values()) {
    if (room.membership !== 'join') {
      if (room.wasJoined && room.pos > afterPos) left.push(room.roomNid);
      continue;
    }
    if (isQuiet(room, afterPos)) continue;
    const events = room.view!.eventsAfter(afterPos);
    if (room.joinedPos > afterPos) entered.push(room.roomNid);
    else if (events === null || events.some((event) => event.isForked)) unseen.push(room.roomNid);
    else {
      for (const event of events) {
        const userId = cameOrWent(event);
        if (userId !== null && userId !== user.userId) userIds.add(userId);
      }
    }
  }
  if (entered.length + left.length + unseen.length + userIds.size === 0) return null;
  const { userNid: readerNid } = user;
  return { readerNid, afterPos, uptoPos, entered, left, unseen, userIds: [...userIds] };
}

/**
 * Users whose devices and keys a client has to look at anew, or no longer, since a position.
 * Without news nothing is asked. Source: client-server spec, "Tracking the device list for a user".
 */
export type DeviceListReader = (
  user: UserView,
  afterPos: number,
  uptoPos: number,
) => Promise<DeviceListChanges> | DeviceListChanges;

export function createDeviceLists(
  source: SyncSources['deviceLists'],
  store: SharingStore,
): DeviceListReader {
  async function read(
    user: UserView,
    afterPos: number,
    uptoPos: number,
    wanted: SharingWanted | null,
  ): Promise<DeviceListChanges> {
    const isInRoom = (nid: number) => user.rooms.get(nid)?.membership === 'join';
    const reader = { userNid: user.userNid, isInRoom };
    const [own, sharing] = await Promise.all([
      source.changed(reader, afterPos, uptoPos),
      wanted ? store.sharing(wanted) : [],
    ]);
    const changed = new Set(own);
    const left: string[] = [];
    for (const { userId, shares, sharedBefore } of sharing) {
      if (shares && !sharedBefore) changed.add(userId);
      if (shares) continue;
      left.push(userId);
      changed.delete(userId);
    }
    return { changed: [...changed], left };
  }

  return (user, afterPos, uptoPos) => {
    const isUnchanged = afterPos >= user.since && user.deviceListsPos <= afterPos;
    const wanted = sharingWanted(user, afterPos, uptoPos);
    return isUnchanged && !wanted ? nothing : read(user, afterPos, uptoPos, wanted);
  };
}
