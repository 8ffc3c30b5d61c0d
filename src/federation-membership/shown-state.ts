import type { JsonObject } from '../matrix/pdu.ts';
import type { RoomServices } from '../rooms/module.ts';

/** State that tells the invited or knocking user of the room (client-server spec, "Stripped state"). */
const shownTypes = [
  'm.room.create',
  'm.room.join_rules',
  'm.room.canonical_alias',
  'm.room.avatar',
  'm.room.name',
  'm.room.encryption',
  'm.room.topic',
] as const;

/**
 * The state that an invited or knocking user is shown, as whole events; with the member event of a
 * user, the inviter. Source: server-server spec, `invite_room_state` and `knock_room_state`.
 */
export type ShownState = (roomNid: number, userId: string | null) => Promise<JsonObject[]>;

export function createShownState(rooms: () => RoomServices): ShownState {
  return async (roomNid, userId) => {
    const { states, pdus } = rooms();
    const keys: (readonly [string, string])[] = shownTypes.map((type) => [type, '']);
    if (userId !== null) keys.push(['m.room.member', userId]);
    const events = await states.entries(roomNid, keys);
    const ids = events.map(({ eventId }) => eventId);
    const texts = await pdus.byIds(roomNid, ids);
    return [...texts.values()].map((text) => JSON.parse(text) as JsonObject);
  };
}
