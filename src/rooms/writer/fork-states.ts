import { joinPdu } from '../../matrix/event-builder.ts';
import type { AuthState, IdentifiedPdu, Pdu } from '../../matrix/pdu.ts';
import type { RoomVersion } from '../../matrix/room-versions.ts';
import { resolveState } from '../../matrix/state-resolution/resolve.ts';
import { authIdsOf, keyOf } from '../../matrix/state-resolution/types.ts';
import type { DeltaRow, ForkStore, KnownEventRow } from '../store/fork-events.ts';

/** An event that is stored, with its PDU. */
export interface KnownEvent extends KnownEventRow {
  pdu: Pdu;
}

/**
 * A state as what differs from the room's current one: event ids by the keys of `keyOf`; null: the
 * entry is absent.
 */
export type StateDelta = ReadonlyMap<string, string | null>;

/** Events one resolution may look at; bounds its memory to some hundred megabytes. */
const eventsMax = 100_000;

export const rejected = 2;

/** Whether an event has no place in the room here, so that the state before it is not known. */
export const isOutlier = ({ pos, basePos }: KnownEventRow): boolean =>
  pos === null && basePos === null;

/** The two parts of a key of `keyOf`. */
export function partsOf(key: string): [type: string, stateKey: string] {
  const at = key.indexOf('\0');
  return [key.slice(0, at), key.slice(at + 1)];
}

/** The state after an event, given the one before. */
export function withEvent(before: StateDelta, eventId: string, pdu: Pdu): StateDelta {
  if (pdu.state_key === undefined) return before;
  return new Map(before).set(keyOf(pdu.type, pdu.state_key), eventId);
}

function isAgreed(states: readonly StateDelta[]): boolean {
  const [first, ...others] = states;
  return others.every(
    (state) =>
      state.size === first!.size && [...state].every(([key, id]) => first!.get(key) === id),
  );
}

/**
 * The states of one room at any place in its graph. Good only while nothing else is written to the
 * room. Where forks agree, as they mostly do, only what differs from the current state is read;
 * where they don't, the whole state and its auth chains are.
 */
export class ForkStates {
  readonly #store: ForkStore;
  readonly #roomNid: number;
  readonly #version: RoomVersion;
  readonly #known = new Map<string, KnownEvent>();

  constructor(store: ForkStore, roomNid: number, version: RoomVersion) {
    this.#store = store;
    this.#roomNid = roomNid;
    this.#version = version;
  }

  /** An event that has been loaded. */
  get(eventId: string): KnownEvent | undefined {
    return this.#known.get(eventId);
  }

  add(event: KnownEvent): void {
    this.#known.set(event.eventId, event);
  }

  /** Loads those of the events that are known at all. */
  async load(eventIds: Iterable<string>): Promise<void> {
    const missing = [...new Set(eventIds)].filter((id) => !this.#known.has(id));
    if (missing.length === 0) return;
    for (const row of await this.#store.known(this.#roomNid, missing)) {
      const pdu = JSON.parse(joinPdu(row.envelope, row.contentAt, row.content)) as Pdu;
      this.add({ ...row, pdu });
    }
  }

  /** Loads the events and all their auth chains, level by level. */
  async #loadChains(eventIds: Iterable<string>): Promise<void> {
    const seen = new Set<string>();
    let level = [...new Set(eventIds)];
    while (level.length > 0) {
      for (const id of level) seen.add(id);
      if (seen.size > eventsMax) throw new Error('the auth chains of this room are too long');
      // oxlint-disable-next-line no-await-in-loop -- each level is known from the one before
      await this.load(level);
      const next = new Set<string>();
      for (const id of level) {
        const event = this.#known.get(id);
        if (event) for (const auth of authIdsOf(event.pdu)) if (!seen.has(auth)) next.add(auth);
      }
      level = [...next];
    }
  }

  /** The states after these events, which must be loaded. */
  async after(eventIds: readonly string[]): Promise<StateDelta[]> {
    const events = eventIds.map((id) => this.#known.get(id)!);
    const forked = events.filter((event) => event.basePos !== null);
    const [changed, differences] = await Promise.all([
      this.#store.changedSince(
        this.#roomNid,
        events.map(({ eventNid, basePos, pos }) => [eventNid, basePos ?? pos!] as const),
      ),
      forked.length === 0
        ? []
        : this.#store.differences(
            this.#roomNid,
            forked.map((event) => event.eventNid),
          ),
    ]);
    const states = new Map(events.map((event) => [event.eventNid, new Map()]));
    const apply = ({ ofNid, type, stateKey, eventId, currentId }: DeltaRow) => {
      const key = keyOf(type, stateKey);
      if (eventId === currentId) states.get(ofNid)!.delete(key);
      else states.get(ofNid)!.set(key, eventId);
    };
    // What a fork began with comes over what the room's state was then.
    changed.forEach(apply);
    differences.forEach(apply);
    return events.map((event) => {
      const state: StateDelta = states.get(event.eventNid)!;
      const isBefore = event.basePos !== null && event.status !== rejected;
      return isBefore ? withEvent(state, event.eventId, event.pdu) : state;
    });
  }

  /** A state that is given by the ids of its events, which must be stored. */
  async given(eventIds: readonly string[]): Promise<StateDelta> {
    await this.load(eventIds);
    const state = new Map<string, string | null>();
    for (const id of eventIds) {
      const { pdu } = this.#known.get(id)!;
      state.set(keyOf(pdu.type, pdu.state_key!), id);
    }
    for (const { type, stateKey, eventId } of await this.#store.stateIds(this.#roomNid)) {
      const key = keyOf(type, stateKey);
      if (state.get(key) === eventId) state.delete(key);
      else if (!state.has(key)) state.set(key, null);
    }
    return state;
  }

  /** What several states are together, by the room version's algorithm. */
  async resolve(states: readonly StateDelta[]): Promise<StateDelta> {
    if (isAgreed(states)) return states[0]!;
    const current = new Map(
      (await this.#store.stateIds(this.#roomNid)).map((row) => [
        keyOf(row.type, row.stateKey),
        row.eventId,
      ]),
    );
    const whole = states.map((delta) => {
      const state = new Map(current);
      for (const [key, id] of delta) {
        if (id === null) state.delete(key);
        else state.set(key, id);
      }
      return state;
    });
    await this.#loadChains(new Set(whole.flatMap((state) => [...state.values()])));
    const resolved = resolveState(this.#version, whole, {
      get: (eventId) => {
        const event = this.#known.get(eventId);
        return event && event.status !== rejected ? event.pdu : undefined;
      },
    });
    const delta = new Map<string, string | null>();
    for (const [key, id] of resolved) if (current.get(key) !== id) delta.set(key, id);
    for (const key of current.keys()) if (!resolved.has(key)) delta.set(key, null);
    return delta;
  }

  /** A state as the authorisation rules ask for it; the delta's events must have been loaded. */
  authState(delta: StateDelta, current: AuthState): AuthState {
    return {
      get: (type, stateKey): IdentifiedPdu | undefined => {
        const eventId = delta.get(keyOf(type, stateKey));
        if (eventId === undefined) return current.get(type, stateKey);
        return eventId === null ? undefined : this.#known.get(eventId);
      },
    };
  }
}
