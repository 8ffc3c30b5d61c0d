import type { Log } from '../kernel/log.ts';
import { createRoom, membership, type Actor, type RoomServices } from '../rooms/module.ts';

/** What is wanted of the deletion of a room; members as the endpoint has them. */
export interface DeletionWish {
  /** The admin; null: the server itself. */
  by: string | null;
  newRoomUserId: string | null;
  newRoomName: string | null;
  message: string | null;
  block: boolean;
  purge: boolean;
  forcePurge: boolean;
}

/** What came of it so far, as admins see it. */
export interface ShutdownResult {
  kicked_users: string[];
  failed_to_kick_users: string[];
  local_aliases: string[];
  new_room_id: string | null;
}

export const nothingDone = (): ShutdownResult => ({
  kicked_users: [],
  failed_to_kick_users: [],
  local_aliases: [],
  new_room_id: null,
});

/** As Synapse has them. */
const nameDefault = 'Content Violation Notification';
const messageDefault =
  'Sharing illegal content on this server is not permitted and rooms in violation will be blocked.';

/** Users who leave at once; what they do is written down together. */
const leavingAtOnce = 20;

/** A user in whose name the server acts: without limits, and without the rights of an admin. */
export const actorFor = (user: { userId: string; userNid: number }): Actor => ({
  userId: user.userId,
  userNid: user.userNid,
  deviceNid: null,
  isGuest: false,
  isAdmin: false,
  appservice: null,
  ownRateLimit: null,
});

export interface ShutdownNeeds {
  rooms: RoomServices;
  log: Log;
}

async function actorOf({ rooms }: ShutdownNeeds, userId: string): Promise<Actor> {
  const { interned } = rooms;
  await interned.users([userId]);
  return actorFor({ userId, userNid: interned.cachedUser(userId)! });
}

/** Everybody of this server leaves, and joins the new room, if there is one. */
async function emptyRoom(
  { rooms, log }: ShutdownNeeds,
  room: { roomNid: number; roomId: string },
  result: ShutdownResult,
  steps: { check(): void; save(): Promise<void> },
): Promise<void> {
  const failed = new Set(result.failed_to_kick_users);
  const users = await rooms.members.localIn(room.roomNid, ['join', 'invite', 'knock']);
  const move = async (user: (typeof users)[number]) => {
    const actor = actorFor(user);
    try {
      await membership.leave(rooms, actor, room.roomId, undefined);
      if (result.new_room_id !== null && user.membership === 'join') {
        await membership.join(rooms, actor, result.new_room_id);
      }
      return true;
    } catch (error) {
      const { userId } = user;
      log.warn({ err: error, userId, roomId: room.roomId }, 'a user could not be moved out');
      return false;
    }
  };
  for (let at = 0; at < users.length; at += leavingAtOnce) {
    steps.check();
    const group = users.slice(at, at + leavingAtOnce);
    // oxlint-disable-next-line no-await-in-loop -- each group is written down when it is done
    const moved = await Promise.all(group.map(move));
    for (const [i, { userId }] of group.entries()) {
      if (moved[i]) result.kicked_users.push(userId);
      else if (!failed.has(userId)) result.failed_to_kick_users.push(userId);
    }
    // oxlint-disable-next-line no-await-in-loop
    await steps.save();
  }
  await membership.forgetAll(rooms, room);
}

/**
 * Makes everybody of this server leave a room, and moves them and its aliases to a new one, if that is
 * wished. `result` says what has been done before, and is changed. What has been done is not done again.
 */
export async function shutDown(
  needs: ShutdownNeeds,
  roomId: string,
  wish: DeletionWish,
  result: ShutdownResult,
  steps: { check(): void; save(): Promise<void> },
): Promise<void> {
  const { rooms } = needs;
  if (wish.block && wish.by !== null) await rooms.blocks.set(roomId, { by: wish.by });
  const known = await rooms.members.room(roomId);
  if (!known) return;
  const room = { roomId, roomNid: known.roomNid };
  const creator = wish.newRoomUserId === null ? null : await actorOf(needs, wish.newRoomUserId);
  if (creator && result.new_room_id === null) {
    result.new_room_id = await createRoom(rooms, creator, {
      preset: 'public_chat',
      name: wish.newRoomName ?? nameDefault,
      // Who is moved there reads and is silent.
      power_level_content_override: { users_default: -10 },
    });
    await steps.save();
  }
  await emptyRoom(needs, room, result, steps);
  if (!creator || result.new_room_id === null) return;
  await rooms.writer.append({
    roomId: result.new_room_id,
    events: [
      {
        sender: creator.userId,
        type: 'm.room.message',
        content: { msgtype: 'm.text', body: wish.message ?? messageDefault },
      },
    ],
    transaction: { deviceNid: null, txnId: roomId, scope: 'shutdown' },
  });
  const [aliases, successor] = await Promise.all([
    rooms.aliases.ofRoom(room.roomNid),
    rooms.members.room(result.new_room_id),
  ]);
  result.local_aliases = [...new Set([...result.local_aliases, ...aliases])];
  await steps.save();
  if (successor) await rooms.aliases.move(room.roomNid, successor.roomNid);
}
