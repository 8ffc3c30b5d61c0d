import { serverNameOf } from '../matrix/ids.ts';
import type { RoomServices } from '../rooms/module.ts';

export interface DeviceAnnouncerNeeds {
  serverName: string;
  rooms: () => RoomServices;
  /** Tells the servers in all rooms of a user of its devices, as if one had changed. */
  announceDevices(user: { userId: string; userNid: number }): Promise<void>;
}

/** Other rooms of a user that are looked at; to tell a server twice does no harm. */
const roomsMax = 200;

/**
 * Tells of the devices of a user who has come into a room, when there are servers that nobody has told
 * so far. Source: server-server spec, "Device Management".
 */
export function createDeviceAnnouncer(needs: DeviceAnnouncerNeeds) {
  const { serverName } = needs;
  return async (user: { userId: string; userNid: number }, roomId: string): Promise<void> => {
    const { members, joinedRooms, servers } = needs.rooms();
    if (serverNameOf(user.userId) !== serverName) return;
    const room = await members.room(roomId);
    const present = room && (await servers.joined([room.roomNid])).get(room.roomNid);
    if (!present || present.size === 0) return;
    const rooms = await joinedRooms.ofAny([user.userNid]);
    const others = [...rooms].filter((nid) => nid !== room.roomNid).slice(-roomsMax);
    const told = new Set<string>();
    for (const names of (await servers.joined(others)).values()) {
      for (const name of names.keys()) told.add(name);
    }
    if ([...present.keys()].some((name) => !told.has(name))) await needs.announceDevices(user);
  };
}
