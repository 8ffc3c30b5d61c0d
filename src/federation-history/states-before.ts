import type { BuiltEvent } from '../matrix/event-builder.ts';
import { serverNameOf } from '../matrix/ids.ts';
import type { Pdu } from '../matrix/pdu.ts';
import { keyOf } from '../matrix/state-resolution/types.ts';
import type { KnownBefore, KnownRoom, RoomServices } from '../rooms/module.ts';
import type { HistoryQuestions } from './questions.ts';
import type { Fetched } from './walk.ts';

export interface StatesBeforeNeeds {
  serverName: string;
  rooms: () => RoomServices;
  questions: Pick<HistoryQuestions, 'events' | 'stateIds'>;
}

/** State events that are fetched one by one, for one state. */
const fetchedMax = 50;

const visibilityType = 'm.room.history_visibility';
const memberType = 'm.room.member';

/** Ids of entries by the keys of `keyOf`. What is not in it was not there. */
type Entries = ReadonlyMap<string, string>;

/**
 * What was before the events of fetched history that change who may see it: history visibility, and
 * memberships of users of this server. What none of them changes is as in the state above, so that
 * mostly nothing has to be asked.
 */
export function createStatesBefore({ serverName, rooms, questions }: StatesBeforeNeeds) {
  const isDeciding = ({ type, state_key: key }: Pdu): boolean =>
    (type === visibilityType && key === '') ||
    (type === memberType && key !== undefined && serverNameOf(key) === serverName);

  const keyOfEvent = ({ pdu }: BuiltEvent) => keyOf(pdu.type, pdu.state_key!);

  /** Those entries of the state before an event that decide; null: not to be had. */
  async function stateBefore(
    server: string,
    room: KnownRoom,
    eventId: string,
  ): Promise<Entries | null> {
    const ids = await questions.stateIds(server, room, eventId);
    if (!ids) return null;
    const { pdus, foreign, history } = rooms();
    const known = await pdus.knownAmong(room.roomNid, ids);
    const unknown = ids.filter((id) => !known.has(id));
    if (unknown.length > fetchedMax) return null;
    const fetched = await questions.events(server, room, unknown);
    if (fetched.length < new Set(unknown).size) return null;
    await foreign.keepOutliers(room.roomNid, fetched);
    const rows = await history.visibilityEntries(room.roomNid, ids, serverName);
    return new Map(rows.map((row) => [keyOf(row.type, row.stateKey), row.eventId]));
  }

  /** What was before the deciding events of a piece of history. */
  async function within(
    server: string,
    room: KnownRoom,
    { events, isFromStart }: Fetched,
  ): Promise<KnownBefore[]> {
    const deciding = events.filter(({ pdu }) => isDeciding(pdu));
    const [lowest] = deciding;
    if (!lowest) return [];
    const below = isFromStart
      ? new Map<string, string>()
      : await stateBefore(server, room, lowest.eventId);
    const last = new Map<string, string>();
    return deciding.flatMap((event) => {
      const { eventId, pdu } = event;
      const key = keyOfEvent(event);
      const earlier = last.get(key);
      last.set(key, eventId);
      if (earlier === undefined && !below) return [];
      const entryId = earlier ?? below?.get(key) ?? null;
      return { eventId, type: pdu.type, stateKey: pdu.state_key!, entryId };
    });
  }

  /**
   * The history visibility before the newest event of a piece that does not hang together with what is
   * known above it; null: not known, or it is not open to all who join later.
   */
  async function openVisibility(
    server: string,
    room: KnownRoom,
    { events, isFromStart }: Fetched,
  ): Promise<KnownBefore | null> {
    const { states, history } = rooms();
    const top = events.at(-1)!;
    const base = { eventId: top.eventId, type: visibilityType, stateKey: '' };
    const isOpen = ({ history_visibility: visibility }: Pdu['content']) =>
      visibility !== 'joined' && visibility !== 'invited';
    const inside = events.findLast(
      ({ pdu }) => pdu.type === visibilityType && pdu.state_key === '',
    );
    if (inside && inside !== top) {
      return isOpen(inside.pdu.content) ? { ...base, entryId: inside.eventId } : null;
    }
    const [current] = await states.entries(room.roomNid, [[visibilityType, '']]);
    if (!current || isFromStart) return { ...base, entryId: null };
    const read = async (ids: readonly string[]) => {
      const rows = await history.visibilityEntries(room.roomNid, ids, serverName);
      return rows.find(({ type }) => type === visibilityType);
    };
    let entry = await read([current.eventId]);
    if (!entry || entry.depth >= events[0]!.pdu.depth) {
      const before = await stateBefore(server, room, top.eventId);
      if (!before) return null;
      const id = before.get(keyOf(visibilityType, ''));
      if (id === undefined) return { ...base, entryId: null };
      entry = await read([id]);
    }
    const isKnownOpen = entry !== undefined && isOpen(JSON.parse(entry.content) as Pdu['content']);
    return isKnownOpen ? { ...base, entryId: entry!.eventId } : null;
  }

  return { within, openVisibility };
}

export type StatesBefore = ReturnType<typeof createStatesBefore>;
