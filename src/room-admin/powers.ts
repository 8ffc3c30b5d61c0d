import { MatrixError } from '../kernel/errors.ts';
import { serverNameOf } from '../matrix/ids.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import { roomVersion } from '../matrix/room-versions.ts';
import { contentOf, membership, type RoomServices, type StoredEvent } from '../rooms/module.ts';
import { actorFor } from './shutdown.ts';

const refused = (message: string) => new MatrixError('M_UNKNOWN', message);

/** Users of this server who may have power, those with the most first. */
function candidates(
  rooms: RoomServices,
  create: StoredEvent,
  levels: StoredEvent | undefined,
  version: string,
): string[] {
  const isOwn = (userId: unknown): userId is string =>
    typeof userId === 'string' && serverNameOf(userId) === rooms.config.serverName;
  // Without levels it is the creator's room.
  if (!levels) return [create.sender].filter(isOwn);
  const named = Object.entries((contentOf(levels)['users'] ?? {}) as Record<string, unknown>)
    .filter(([userId]) => isOwn(userId))
    .toSorted(([, a], [, b]) => Number(b) - Number(a))
    .map(([userId]) => userId);
  if (!roomVersion(version).privilegedCreators) return named;
  const others = contentOf(create)['additional_creators'];
  const creators = [create.sender, ...(Array.isArray(others) ? others : [])];
  return [...creators.filter(isOwn), ...named];
}

/** Not for somebody who is in the room, or asked to be, or finds the way. */
function needsInvite(member: StoredEvent | undefined, joinRules: StoredEvent | undefined) {
  const current = member && contentOf(member)['membership'];
  if (current === 'join' || current === 'invite') return false;
  return (joinRules && contentOf(joinRules)['join_rule']) !== 'public';
}

/**
 * Gives a user the highest power that a joined user of this server has in a room, in the name of the
 * latter, and an invite if it is needed. Throws M_UNKNOWN where nobody of this server has any.
 */
export async function makeRoomAdmin(
  rooms: RoomServices,
  roomId: string,
  userId: string,
): Promise<void> {
  const known = await rooms.members.room(roomId);
  const state = known
    ? await rooms.states.entries(known.roomNid, [
        ['m.room.create', ''],
        ['m.room.power_levels', ''],
        ['m.room.join_rules', ''],
        ['m.room.member', userId],
      ])
    : [];
  const find = (type: string) => state.find((event) => event.type === type);
  const create = find('m.room.create');
  if (!known || !create) throw refused('Server not in room');
  const levels = find('m.room.power_levels');
  const able = candidates(rooms, create, levels, known.roomVersion);
  const joined = await rooms.members.localIn(known.roomNid, ['join']);
  const byId = new Map(joined.map((user) => [user.userId, user]));
  const admin = able.map((one) => byId.get(one)).find((one) => one !== undefined);
  if (!admin) throw refused('No local admin user in room');
  const content: JsonObject = levels ? { ...contentOf(levels) } : {};
  const users = { ...(content['users'] as JsonObject | undefined) };
  users[userId] = users[admin.userId] ?? 100;
  const event = {
    sender: admin.userId,
    type: 'm.room.power_levels',
    stateKey: '',
    content: { ...content, users },
  };
  try {
    await rooms.writer.append({ roomId, events: [event], skipUnchangedState: true });
  } catch (error) {
    if (!(error instanceof MatrixError) || error.code !== 'M_FORBIDDEN') throw error;
    throw refused('No local admin user in room with power to update power levels.');
  }
  if (!needsInvite(find('m.room.member'), find('m.room.join_rules'))) return;
  await membership.invite(rooms, actorFor(admin), roomId, userId);
}
