import { redactPdu } from '../matrix/event-format.ts';
import { canonicalFor } from '../matrix/pdu-text.ts';
import { joinPdu } from '../matrix/event-builder.ts';
import { serverNameOf } from '../matrix/ids.ts';
import type { JsonObject, Pdu } from '../matrix/pdu.ts';
import { roomVersion } from '../matrix/room-versions.ts';
import { entryHistory, type EntryHistory, type ErasedAmong } from '../rooms/module.ts';
import type { PduRow, PlacedEvent, RoomRow } from './store/events.ts';
import type { DifferenceRow, ServerViewStore, SpanRow } from './store/server-view.ts';

export interface ServerViewNeeds {
  store: ServerViewStore;
  erasedAmong: ErasedAmong;
}

const visibilityType = 'm.room.history_visibility';
const memberType = 'm.room.member';

/** The timeline position whose state an event starts from, but for its differences; null: unknown. */
export const placeBefore = ({ pos, basePos }: Pick<PlacedEvent, 'pos' | 'basePos'>) =>
  basePos ?? (pos === null ? null : pos - 1);

const placeAfter = ({ pos, basePos }: PlacedEvent): number => basePos ?? pos!;

function memberOf(content: string | null, name: string): string {
  const value = content === null ? null : (JSON.parse(content) as JsonObject)[name];
  return typeof value === 'string' ? value : '';
}

/** What states are made of, but for members. */
interface StateParts {
  visibilities: readonly SpanRow[];
  fetched: EntryHistory;
  differences: readonly DifferenceRow[];
}

/** Which state counts: that before an event, or the one after it. */
type When = 'before' | 'after';

/** States around events of one room, as far as they decide on what a server sees. */
class States {
  readonly #visibilities: readonly SpanRow[];
  readonly #members: readonly (SpanRow & { membership: string })[];
  readonly #differences = new Map<number, DifferenceRow[]>();
  readonly #origin: string;
  readonly #fetched: EntryHistory;

  constructor(
    origin: string,
    { visibilities, fetched, differences }: StateParts,
    members: readonly SpanRow[],
  ) {
    this.#origin = origin;
    this.#visibilities = visibilities;
    this.#fetched = fetched;
    this.#members = members.map((span) => ({
      ...span,
      membership: memberOf(span.content, 'membership'),
    }));
    for (const row of differences) {
      const known = this.#differences.get(row.ofNid);
      if (known) known.push(row);
      else this.#differences.set(row.ofNid, [row]);
    }
  }

  /** Entries that come over the room's state; an event on a fork is not part of that itself. */
  #over(event: PlacedEvent, when: When, isMember: boolean): Map<string, string | null> {
    const rows = this.#differences.get(event.eventNid) ?? [];
    const over = new Map(
      rows.filter((row) => row.isMember === isMember).map((row) => [row.stateKey, row.content]),
    );
    const { type, stateKey, basePos, status } = event;
    const isOwn =
      isMember && stateKey !== null
        ? type === memberType && serverNameOf(stateKey) === this.#origin
        : type === visibilityType && stateKey === '';
    const takesPlace = when === 'after' && basePos !== null && status !== 2;
    if (isOwn && takesPlace) over.set(stateKey!, event.content);
    return over;
  }

  visibility(event: PlacedEvent, when: When): string {
    if (event.sub < 0) {
      const sub = when === 'before' ? event.sub - 1 : event.sub;
      return this.#fetched.fetchedAt(event.pos!, sub) ?? 'joined';
    }
    const over = this.#over(event, when, false);
    const at = when === 'before' ? placeBefore(event)! : placeAfter(event);
    const span = this.#visibilities.find(({ fromPos, toPos }) => fromPos <= at && at < toPos);
    const content = over.has('') ? over.get('')! : (span?.content ?? null);
    return memberOf(content, 'history_visibility');
  }

  /** Whether a user of the server had one of the memberships. */
  hasMember(event: PlacedEvent, when: When, memberships: readonly string[]): boolean {
    if (event.sub < 0) return this.#hadMember(event.pos!, memberships);
    const over = this.#over(event, when, true);
    const at = when === 'before' ? placeBefore(event)! : placeAfter(event);
    for (const content of over.values()) {
      if (memberships.includes(memberOf(content, 'membership'))) return true;
    }
    return this.#members.some(
      ({ fromPos, toPos, stateKey, membership }) =>
        fromPos <= at && at < toPos && memberships.includes(membership) && !over.has(stateKey),
    );
  }

  /** In history that was fetched later, counts who was there before it and after it. */
  #hadMember(pos: number, memberships: readonly string[]): boolean {
    return this.#members.some(
      ({ fromPos, toPos, membership }) =>
        fromPos < pos && pos < toPos && memberships.includes(membership),
    );
  }

  #allows(event: PlacedEvent, when: When): boolean {
    const visibility = this.visibility(event, when);
    if (isOpen(visibility)) return true;
    const memberships = visibility === 'invited' ? ['join', 'invite'] : ['join'];
    return this.hasMember(event, when, memberships);
  }

  /** Whether some user of the server may see the event. */
  shows(event: PlacedEvent): boolean {
    if (this.#allows(event, 'after')) return true;
    const { type, stateKey } = event;
    // What ends a right to see is seen by those who had it.
    const isTurn =
      (type === visibilityType && stateKey === '') ||
      (type === memberType && stateKey !== null && serverNameOf(stateKey) === this.#origin);
    return isTurn && this.#allows(event, 'before');
  }
}

/** Rooms without the event, and unknown values, are `shared`: all servers in the room see that. */
const isOpen = (visibility: string) => visibility !== 'joined' && visibility !== 'invited';

/** The PDU, as it is stored. */
export const pduText = ({ envelope, contentAt, content }: Omit<PduRow, 'eventNid'>): string =>
  joinPdu(envelope, contentAt, content);

function redactedText(version: string, event: PlacedEvent): string {
  const rules = roomVersion(version);
  const pdu = redactPdu(rules, JSON.parse(pduText(event)) as Pdu);
  return canonicalFor(rules, pdu as unknown as JsonObject);
}

/** What servers in a room may see of its events. */
export interface ServerView {
  /**
   * The PDUs of events of one room for a server in it, in their order. Those that none of its users
   * may see are redacted, and those of erased users where the server had nobody in the room. Events
   * whose place is not known are shown. At most five queries. Source: client-server spec, "Room
   * history visibility"; Synapse's `filter_events_for_server`.
   */
  pdus(room: RoomRow, origin: string, events: readonly PlacedEvent[]): Promise<string[]>;
}

export function createServerView({ store, erasedAmong }: ServerViewNeeds): ServerView {
  async function hidden(
    { roomNid }: RoomRow,
    origin: string,
    events: readonly PlacedEvent[],
  ): Promise<ReadonlySet<PlacedEvent>> {
    const placed = events.filter((event) => placeBefore(event) !== null);
    if (placed.length === 0) return new Set();
    const from = Math.min(...placed.map((event) => placeBefore(event)!));
    const to = Math.max(...placed.map(placeAfter));
    const forked = placed.filter(({ basePos }) => basePos !== null);
    const [visibilities, history, differences, erased] = await Promise.all([
      store.visibilities(roomNid, from, to),
      placed.some(({ sub }) => sub < 0) ? store.history(roomNid) : [],
      forked.length === 0
        ? []
        : store.differences(
            roomNid,
            forked.map(({ eventNid }) => eventNid),
            origin,
          ),
      erasedAmong([...new Set(placed.map(({ senderNid }) => senderNid))]),
    ]);
    const isErased = ({ senderNid }: PlacedEvent) => erased.has(senderNid);
    const ofRoom = history.filter(({ isMember }) => !isMember);
    const fetched = entryHistory(ofRoom, 'history_visibility');
    const parts = { visibilities, fetched, differences };
    const open = new States(origin, parts, []);
    const doubtful = placed.filter(
      (event) => isErased(event) || !isOpen(open.visibility(event, 'after')),
    );
    if (doubtful.length === 0) return new Set();
    const members = await store.members(roomNid, origin, from, to);
    const states = new States(origin, parts, members);
    return new Set(
      doubtful.filter(
        (event) =>
          !states.shows(event) || (isErased(event) && !states.hasMember(event, 'after', ['join'])),
      ),
    );
  }

  return {
    async pdus(room, origin, events) {
      const redacted = await hidden(room, origin, events);
      return events.map((event) =>
        redacted.has(event) ? redactedText(room.roomVersion, event) : pduText(event),
      );
    },
  };
}
