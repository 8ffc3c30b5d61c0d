import type { RoomServers } from '../rooms/module.ts';
import { serverNameOf } from '../matrix/ids.ts';
import type { Destination, Item, RoomPart, Round } from './destination.ts';
import {
  caughtUpEventsPerPage,
  caughtUpEventsPerRoom,
  caughtUpRoomsAtOnce,
  caughtUpRoomsPerPage,
  pdusPerTransaction,
} from './limits.ts';
import type { DeviceUpdates } from '../keys/module.ts';
import type { OwnEvent, OwnEventStore } from './store/own-events.ts';

export interface CatchUpNeeds {
  events: Pick<OwnEventStore, 'rooms' | 'events' | 'floors' | 'spans'>;
  devices: Pick<DeviceUpdates, 'changes'>;
  servers: Pick<RoomServers, 'joined'>;
}

/** Reads what servers lack from the database, room by room and page by page. */
export interface CatchUp {
  /**
   * What the server, which is behind, gets next, in the order of each room; empty when there is
   * nothing more for it. `position()`: everything after it will be added to the server's queue.
   */
  next(destination: Destination, position: () => number): Promise<readonly Item[]>;
  /** The first `count` of these have arrived. */
  sent(destination: Destination, count: number): void;
}

/** Changes of devices that are looked through at once. */
const devicesPerPage = 100;

const newRound = (afterPos: number, toPos: number): Round => ({
  toPos,
  rooms: null,
  hasMoreRooms: true,
  parts: [],
  lastRoom: 0,
  devicesPos: afterPos,
  hasMoreDevices: true,
  items: [],
});

/** Whether an event is for a server: it was in the room, or the event says that it no longer is. */
function isFor(destination: string, event: OwnEvent, spans: RoomPart['spans']): boolean {
  if (event.origin === destination) return false;
  if (event.memberId !== null && serverNameOf(event.memberId) === destination) return true;
  return spans.some(({ fromPos, toPos }) => fromPos <= event.pos && event.pos < toPos);
}

export function createCatchUp({ events, devices, servers }: CatchUpNeeds): CatchUp {
  /** Takes up the next rooms; false: there are no more. */
  async function nextRooms(name: string, afterPos: number, round: Round): Promise<boolean> {
    if (round.rooms === null || round.rooms.length === 0) {
      if (!round.hasMoreRooms) return false;
      const range = [afterPos, round.toPos] as const;
      round.rooms = await events.rooms(name, round.lastRoom, range, caughtUpRoomsPerPage);
      round.hasMoreRooms = round.rooms.length === caughtUpRoomsPerPage;
      if (round.rooms.length === 0) return false;
    }
    const roomNids = round.rooms.splice(0, caughtUpRoomsAtOnce);
    const spans = Map.groupBy(
      await events.spans(name, roomNids, afterPos),
      ({ roomNid }) => roomNid,
    );
    round.lastRoom = roomNids.at(-1)!;
    round.parts = roomNids.map((roomNid) => ({
      roomNid,
      afterPos,
      spans: spans.get(roomNid) ?? [],
      isBegun: false,
    }));
    return true;
  }

  /** Where rooms with too many events are begun. */
  async function floorsOf(full: readonly RoomPart[], toPos: number) {
    const roomNids = full.filter(({ isBegun }) => !isBegun).map(({ roomNid }) => roomNid);
    if (roomNids.length === 0) return new Map<number, number>();
    const range = [full[0]!.afterPos, toPos] as const;
    const floors = await events.floors(roomNids, range, caughtUpEventsPerRoom);
    return new Map(floors.map(({ roomNid, pos }) => [roomNid, pos]));
  }

  /** Reads on in the rooms that are being read, or in the next ones; false: there are no more. */
  async function readRooms(name: string, afterPos: number, round: Round): Promise<boolean> {
    if (round.parts.length === 0 && !(await nextRooms(name, afterPos, round))) return false;
    const { parts, toPos } = round;
    const own = Map.groupBy(
      await events.events(parts, toPos, caughtUpEventsPerPage),
      ({ roomNid }) => roomNid,
    );
    const full = parts.filter(({ roomNid }) => own.get(roomNid)?.length === caughtUpEventsPerPage);
    const floors = await floorsOf(full, toPos);
    for (const part of parts) {
      // Its oldest events are too many.
      if (floors.has(part.roomNid)) continue;
      for (const event of own.get(part.roomNid) ?? []) {
        const { pos, roomNid, eventNid } = event;
        if (isFor(name, event, part.spans)) round.items.push({ pos, roomNid, eventNid });
      }
    }
    round.parts = full.map((part) => ({
      ...part,
      afterPos: (floors.get(part.roomNid) ?? own.get(part.roomNid)!.at(-1)!.pos + 1) - 1,
      isBegun: true,
    }));
    return true;
  }

  /** Looks up the next changes of devices; false: there are no more. */
  async function readDevices(name: string, round: Round): Promise<boolean> {
    if (!round.hasMoreDevices) return false;
    const changes = await devices.changes(round.devicesPos, round.toPos, devicesPerPage);
    round.hasMoreDevices = changes.length === devicesPerPage;
    round.devicesPos = changes.at(-1)?.pos ?? round.toPos;
    const joined = await servers.joined([...new Set(changes.flatMap(({ roomNids }) => roomNids))]);
    for (const { pos, userNid, userId, roomNids } of changes) {
      const isSharing = roomNids.some((nid) => joined.get(nid)!.has(name));
      if (isSharing) round.items.push({ pos, userNid, userId });
    }
    return true;
  }

  /** Begins a round, or goes on with one that an earlier process has begun. */
  function begin(destination: Destination, position: () => number): Round {
    const behind = destination.behind!;
    if (behind.round) {
      const { toPos, room } = behind.round;
      return { ...newRound(behind.pos, toPos), lastRoom: room };
    }
    const toPos = Math.max(behind.pos, position());
    behind.round = { toPos, room: 0 };
    destination.queue = [];
    destination.isGathering = true;
    return newRound(behind.pos, toPos);
  }

  /** What was sent is noted, so that whoever goes on need not begin at the beginning. */
  function note({ behind, round }: Destination): void {
    const { items, parts, toPos, lastRoom } = round!;
    if (items.length + parts.length === 0) behind!.round = { toPos, room: lastRoom };
  }

  return {
    async next(destination, position) {
      while (destination.behind && !destination.isGone) {
        const round = (destination.round ??= begin(destination, position));
        if (round.items.length > 0) return round.items.slice(0, pdusPerTransaction);
        const { pos } = destination.behind;
        const isMore =
          // oxlint-disable-next-line no-await-in-loop
          (await readRooms(destination.name, pos, round)) ||
          // oxlint-disable-next-line no-await-in-loop
          (await readDevices(destination.name, round));
        if (isMore) note(destination);
        else {
          destination.round = null;
          destination.behind = destination.isGathering ? null : { pos: round.toPos, round: null };
        }
      }
      return [];
    },
    sent(destination, count) {
      destination.round!.items.splice(0, count);
      note(destination);
    },
  };
}
