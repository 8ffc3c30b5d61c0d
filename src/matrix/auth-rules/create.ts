import { isUserId, serverNameOf } from '../ids.ts';
import type { Pdu } from '../pdu.ts';
import { isKnownRoomVersion, type RoomVersion } from '../room-versions.ts';
import { require } from './not-authorised.ts';

/** Rule 1: m.room.create. */
export function checkCreate(version: RoomVersion, pdu: Pdu): void {
  const { content } = pdu;
  require(pdu.prev_events.length === 0, 'a create event has no previous events');
  if (version.roomIdIsCreateHash) {
    require(pdu.room_id === undefined, 'a create event has no room_id');
  } else {
    require(serverNameOf(pdu.room_id ?? '') ===
      serverNameOf(pdu.sender), 'the room id is of another server than its creator');
  }
  const named = content['room_version'];
  if (named !== undefined) {
    require(typeof named === 'string' &&
      isKnownRoomVersion(named), `unknown room version ${JSON.stringify(named)}`);
  }
  if (!version.implicitRoomCreator) {
    require(content['creator'] !== undefined, 'a create event needs its creator');
  }
  const creators = content['additional_creators'];
  if (version.privilegedCreators && creators !== undefined) {
    require(Array.isArray(creators) &&
      creators.every(
        (id) => typeof id === 'string' && isUserId(id),
      ), 'additional_creators must be a list of user ids');
  }
}
