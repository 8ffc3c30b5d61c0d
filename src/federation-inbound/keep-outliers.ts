import { inAuthOrder } from '../matrix/auth-order.ts';
import type { BuiltEvent } from '../matrix/event-builder.ts';
import { referencedIds } from '../matrix/pdu.ts';
import { refusalByAuthEvents, type AuthEvent } from '../matrix/received-pdu.ts';
import { roomVersion } from '../matrix/room-versions.ts';
import type { JudgedEvent, KnownRoom, RoomServices } from '../rooms/module.ts';

/** From room version 12 on, the create event's id follows from the room's. */
const createIdOf = (roomId: string) => `$${roomId.slice(1)}`;

/**
 * Stores events without their places, each judged by those that it names. One that names an event
 * which is not known is left out, and with it all that stand on it: what they would be in a state
 * cannot be said. Source: server-server spec, "Checks performed on receipt of a PDU", 4.
 */
export async function keepOutliers(
  { foreign, pdus }: Pick<RoomServices, 'foreign' | 'pdus'>,
  room: KnownRoom,
  events: readonly BuiltEvent[],
): Promise<void> {
  const version = roomVersion(room.roomVersion);
  const given = new Map(events.map((event) => [event.eventId, event]));
  const named = new Set(events.flatMap(({ pdu }) => referencedIds(pdu.auth_events)));
  const createId = createIdOf(room.roomId);
  if (version.roomIdIsCreateHash) named.add(createId);
  const wanted = [...named].filter((id) => !given.has(id));
  const known = new Map<string, AuthEvent>();
  for (const event of await pdus.judged(room.roomNid, wanted)) known.set(event.eventId, event);
  const kept: JudgedEvent[] = [];
  for (const event of inAuthOrder(given)) {
    const { eventId, pdu } = event;
    const authEvents = referencedIds(pdu.auth_events).flatMap((id) => known.get(id) ?? []);
    const isWhole = authEvents.length === pdu.auth_events.length;
    if (!isWhole || pdu.type === 'm.room.create') continue;
    const isRejected = refusalByAuthEvents(version, pdu, authEvents, known.get(createId)) !== null;
    known.set(eventId, { eventId, pdu, isRejected });
    kept.push({ ...event, isRejected });
  }
  await foreign.keepOutliers(room.roomNid, kept);
}
