import type { BuiltEvent } from '../matrix/event-builder.ts';
import { referencedIds, type Pdu } from '../matrix/pdu.ts';
import { refusalByAuthEvents } from '../matrix/received-pdu.ts';
import { roomVersion } from '../matrix/room-versions.ts';
import { contentOf, type KnownRoom, type RoomServices } from '../rooms/module.ts';
import type { HistoryQuestions } from './questions.ts';

/** Auth events that are fetched one by one. */
const fetchedMax = 50;

/** What the rules say of events, by id; of events whose auth events are not to be had, nothing. */
export interface Judged {
  allowed: Set<string>;
  refused: Set<string>;
}

/** Judges events of a room's past by the events that they name to be allowed by. */
export async function judge(
  { pdus, foreign, states }: RoomServices,
  questions: Pick<HistoryQuestions, 'events'>,
  server: string,
  room: KnownRoom,
  events: readonly BuiltEvent[],
): Promise<Judged> {
  const { roomNid } = room;
  const version = roomVersion(room.roomVersion);
  const [createEntry] = await states.entries(roomNid, [['m.room.create', '']]);
  const judged: Judged = { allowed: new Set(), refused: new Set() };
  if (!createEntry) return judged;

  const found = new Map<string, Pdu>(events.map(({ eventId, pdu }) => [eventId, pdu]));
  const named = new Set(events.flatMap(({ pdu }) => referencedIds(pdu.auth_events)));
  const wanted = [...named].filter((id) => !found.has(id));
  const known = await pdus.byIds(roomNid, wanted);
  for (const [id, text] of known) found.set(id, JSON.parse(text) as Pdu);
  const missing = wanted.filter((id) => !known.has(id)).slice(0, fetchedMax);
  const fetched = await questions.events(server, room, missing);
  await foreign.keepOutliers(roomNid, fetched);
  for (const { eventId, pdu } of fetched) found.set(eventId, pdu);

  const create = {
    eventId: createEntry.eventId,
    pdu: {
      sender: createEntry.sender,
      type: 'm.room.create',
      state_key: '',
      content: contentOf(createEntry),
    } as Pdu,
    isRejected: false,
  };
  for (const { pdu, eventId } of events) {
    if (pdu.type === 'm.room.create') {
      (eventId === create.eventId ? judged.allowed : judged.refused).add(eventId);
      continue;
    }
    const ids = referencedIds(pdu.auth_events);
    if (ids.some((id) => !found.has(id))) continue;
    const auth = ids.map((id) => ({ eventId: id, pdu: found.get(id)!, isRejected: false }));
    const isRefused = refusalByAuthEvents(version, pdu, auth, create) !== null;
    (isRefused ? judged.refused : judged.allowed).add(eventId);
  }
  return judged;
}
