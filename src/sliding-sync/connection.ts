/** What of a room a connection has been sent. */
export interface SentRoom {
  /** 0: everything up to the connection's position; else only what was up to here. */
  uptoPos: number;
  timelineLimit: number;
  /** Number of the required state in `signatures`. */
  signature: number;
  /** Numbers of the members that were sent because they appear in the timeline. */
  lazyMembers: readonly number[];
}

/**
 * What a connection has been sent, apart from how far it is. Never changed: each answer makes a new
 * one, or goes on with the one there is.
 */
export interface ConnectionState {
  id: number;
  rooms: ReadonlyMap<number, SentRoom>;
  /** Required states that rooms were sent with. */
  signatures: readonly string[];
}

/** Lazily sent members remembered for a room; others are sent again when they appear. */
export const lazyMembersMax = 100;

type RoomRow = [
  roomNid: number,
  uptoPos: number,
  timelineLimit: number,
  signature: number,
  ...lazy: number[],
];

export function encodeState({ rooms, signatures }: ConnectionState): string {
  const rows = [...rooms].map(([nid, sent]): RoomRow => [
    nid,
    sent.uptoPos,
    sent.timelineLimit,
    sent.signature,
    ...sent.lazyMembers,
  ]);
  return JSON.stringify({ signatures, rooms: rows });
}

export function decodeState(id: number, text: string): ConnectionState {
  const { signatures, rooms } = JSON.parse(text) as { signatures: string[]; rooms: RoomRow[] };
  return {
    id,
    signatures,
    rooms: new Map(
      rooms.map(([nid, uptoPos, timelineLimit, signature, ...lazyMembers]) => [
        nid,
        { uptoPos, timelineLimit, signature, lazyMembers },
      ]),
    ),
  };
}

export const emptyState: ConnectionState = { id: 0, rooms: new Map(), signatures: [] };

/** A state while an answer is made; becomes a new state when something was changed. */
export class StateDraft {
  readonly #before: ConnectionState;
  #rooms: Map<number, SentRoom> | null = null;
  #signatures: string[];

  constructor(before: ConnectionState) {
    this.#before = before;
    this.#signatures = [...before.signatures];
  }

  get rooms(): ReadonlyMap<number, SentRoom> {
    return this.#rooms ?? this.#before.rooms;
  }

  get isChanged(): boolean {
    return this.#rooms !== null;
  }

  signature(text: string): number {
    const at = this.#signatures.indexOf(text);
    return at >= 0 ? at : this.#signatures.push(text) - 1;
  }

  set(roomNid: number, sent: SentRoom): void {
    const known = this.rooms.get(roomNid);
    if (known && isSame(known, sent)) return;
    this.#rooms ??= new Map(this.#before.rooms);
    this.#rooms.set(roomNid, sent);
  }

  delete(roomNid: number): void {
    if (!this.rooms.has(roomNid)) return;
    this.#rooms ??= new Map(this.#before.rooms);
    this.#rooms.delete(roomNid);
  }

  /** The state as it is then, with signatures that are still used. */
  finish(id: number): ConnectionState {
    const used = [...new Set([...this.rooms.values()].map((sent) => sent.signature))];
    const rooms = new Map(
      [...this.rooms].map(([nid, sent]) => [
        nid,
        { ...sent, signature: used.indexOf(sent.signature) },
      ]),
    );
    return { id, rooms, signatures: used.map((at) => this.#signatures[at]!) };
  }
}

const isSame = (a: SentRoom, b: SentRoom) =>
  a.uptoPos === b.uptoPos &&
  a.timelineLimit === b.timelineLimit &&
  a.signature === b.signature &&
  a.lazyMembers.length === b.lazyMembers.length &&
  a.lazyMembers.every((nid, i) => nid === b.lazyMembers[i]);
