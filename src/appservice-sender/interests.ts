import { LRUCache } from 'lru-cache';
import {
  isInterestedInUser,
  matches,
  type AppserviceRegistration,
} from '../appservices/registrations.ts';
import { aliasStream, eventStream, type MembershipChange } from '../rooms/module.ts';
import type { Bus } from '../streams/bus.ts';
import type { MemberSpan, NamedRoom, RoomInterestStore } from './store/room-interests.ts';

/** Which services are interested in a room. */
export interface RoomInterest {
  roomId: string;
  /** Whether the service is, or was at a position: for the room, or for users who were in it. */
  isOf(service: AppserviceRegistration, pos: number): boolean;
}

export interface InterestsNeeds {
  bus: Bus;
  store: RoomInterestStore;
  /** The services that are sent something from here. */
  services(): readonly AppserviceRegistration[];
}

/** Which services are interested in which rooms, remembered and kept true by the streams. */
export interface Interests {
  /** As far as it is about what comes after a position. At most two queries, none when remembered. */
  of(roomNids: Iterable<number>, afterPos: number): Promise<ReadonlyMap<number, RoomInterest>>;
  /** The services are others now. */
  forgetAll(): void;
}

/** From the one position on, before the other. */
interface Span {
  fromPos: number;
  toPos: number;
}

/** Rooms, and spans in them, that are remembered. */
const rememberedMax = 100_000;
/** Users come and go: a room with so many spans is read anew. */
const spansMax = 64;

/** A room with the services that its users, its id or its aliases are of interest to. */
class Room implements RoomInterest {
  readonly roomId: string;
  /** What was before is not known. */
  readonly afterPos: number;
  readonly #always = new Set<string>();
  readonly #spans = new Map<string, Span[]>();
  /** Users who are joined now, by service. */
  readonly #counts = new Map<string, number>();

  constructor(
    { roomId, aliases }: NamedRoom,
    afterPos: number,
    services: readonly AppserviceRegistration[],
    members: readonly MemberSpan[],
  ) {
    this.roomId = roomId;
    this.afterPos = afterPos;
    for (const service of services) {
      const { id, namespaces } = service;
      const isNamed = aliases.some((alias) => matches(namespaces.aliases, alias));
      if (isNamed || matches(namespaces.rooms, roomId)) this.#always.add(id);
      for (const { userId, fromPos, toPos } of members) {
        if (isInterestedInUser(service, userId)) this.#cover(id, { fromPos, toPos });
      }
    }
  }

  get size(): number {
    return 1 + this.#spans.size;
  }

  isOf({ id }: AppserviceRegistration, pos: number): boolean {
    if (this.#always.has(id)) return true;
    return (
      this.#spans.get(id)?.some(({ fromPos, toPos }) => fromPos <= pos && pos < toPos) ?? false
    );
  }

  /** Spans come in the order of their beginnings. */
  #cover(id: string, { fromPos, toPos }: Span): void {
    const spans = this.#spans.get(id) ?? [];
    this.#spans.set(id, spans);
    const last = spans.at(-1);
    if (last && fromPos <= last.toPos) last.toPos = Math.max(last.toPos, toPos);
    else spans.push({ fromPos, toPos });
    if (toPos >= openPos) this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
  }

  /** A user of this server has come or gone. False: the room is to be read anew. */
  moved(service: AppserviceRegistration, pos: number, isJoined: boolean): boolean {
    const { id } = service;
    if (isJoined) this.#cover(id, { fromPos: pos, toPos: openPos });
    else {
      const count = (this.#counts.get(id) ?? 0) - 1;
      const last = this.#spans.get(id)?.at(-1);
      if (count < 0 || !last) return false;
      this.#counts.set(id, count);
      if (count === 0) last.toPos = pos;
    }
    return (this.#spans.get(id)?.length ?? 0) <= spansMax;
  }
}

/** The end of what has not ended. */
const openPos = Number.MAX_SAFE_INTEGER;

export function createInterests({ bus, store, services }: InterestsNeeds): Interests {
  const rooms = new LRUCache<number, Room>({
    maxSize: rememberedMax,
    sizeCalculation: (room) => room.size,
  });
  /** What happens while rooms are read. */
  const reading = new Map<number, { pos: number; change: MembershipChange }[]>();
  /** Grows when what is being read is not to be remembered. */
  let changes = 0;

  function apply(room: Room, pos: number, { userId, to }: MembershipChange): boolean {
    return services()
      .filter((service) => isInterestedInUser(service, userId))
      .every((service) => room.moved(service, pos, to === 'join'));
  }

  bus.subscribe(eventStream, (rows) => {
    for (const { pos, row } of rows) {
      const { roomNid } = row.event;
      for (const change of row.memberships) {
        if (!change.isLocal || (change.from === 'join') === (change.to === 'join')) continue;
        reading.get(roomNid)?.push({ pos, change });
        const room = rooms.peek(roomNid);
        if (room && !apply(room, pos, change)) rooms.delete(roomNid);
      }
    }
  });
  bus.subscribe(aliasStream, (rows) => {
    changes++;
    for (const { row } of rows) for (const roomNid of row.roomNids) rooms.delete(roomNid);
  });
  const forgetAll = () => {
    changes++;
    rooms.clear();
  };
  bus.onMissed(forgetAll);

  async function read(roomNids: number[], afterPos: number): Promise<Map<number, Room>> {
    const before = changes;
    const uptoPos = bus.position();
    const held = services();
    const prefixes = userPrefixes(held);
    const own = roomNids.filter((nid) => !reading.has(nid));
    for (const nid of own) reading.set(nid, []);
    try {
      const [named, spans] = await Promise.all([
        store.rooms(roomNids),
        prefixes.length === 0 ? [] : store.spans(roomNids, prefixes, afterPos, uptoPos),
      ]);
      // One that ends later had not ended.
      const members = spans.map((span) =>
        span.toPos > uptoPos ? { ...span, toPos: openPos } : span,
      );
      const byRoom = Map.groupBy(members, ({ roomNid }) => roomNid);
      const found = new Map<number, Room>();
      for (const one of named) {
        const room = new Room(one, afterPos, held, byRoom.get(one.roomNid) ?? []);
        found.set(one.roomNid, room);
        const since = own.includes(one.roomNid) ? reading.get(one.roomNid)! : null;
        const isWhole =
          since?.every(({ pos, change }) => pos <= uptoPos || apply(room, pos, change)) ?? false;
        if (isWhole && before === changes) rooms.set(one.roomNid, room);
      }
      return found;
    } finally {
      for (const nid of own) reading.delete(nid);
    }
  }

  return {
    async of(roomNids, afterPos) {
      const result = new Map<number, RoomInterest>();
      const missing: number[] = [];
      for (const nid of new Set(roomNids)) {
        const room = rooms.get(nid);
        if (room && room.afterPos <= afterPos) result.set(nid, room);
        else missing.push(nid);
      }
      if (missing.length > 0) {
        for (const [nid, room] of await read(missing, afterPos)) result.set(nid, room);
      }
      return result;
    },
    forgetAll,
  };
}

/** What the ids of all users begin with that services are interested in. */
export function userPrefixes(services: readonly AppserviceRegistration[]): string[] {
  const prefixes = services.flatMap(({ sender, namespaces }) => [
    sender,
    ...namespaces.users.map(({ prefix }) => prefix),
  ]);
  return [...new Set(prefixes)];
}
