import { deviceListStream, type DeviceListRow } from '../keys/module.ts';
import { receiptStream, type ReceiptRow } from '../receipts/module.ts';
import { eventStream, type Interned, type StoredEvent } from '../rooms/module.ts';
import type { Bus } from '../streams/bus.ts';
import { toDeviceStream } from '../to-device/module.ts';
import {
  messagesPerTransaction,
  recentCharactersMax,
  recentRowsMax,
  rowsPerPage,
} from './limits.ts';
import type { DeviceMessage, EventPlace, FeedStore } from './store/feed.ts';

/** An event as it was when it came, if that was lately. */
export interface EventRow extends EventPlace {
  kind: 'event';
  recent: { roomId: string; event: StoredEvent } | null;
}

/** Something that services may be told of. */
export type FeedRow =
  | EventRow
  | { kind: 'receipt'; pos: number; row: ReceiptRow }
  | ({ kind: 'message' } & DeviceMessage)
  | { kind: 'devices'; pos: number; row: DeviceListRow };

/** Rows in the order of their positions; `uptoPos`: these are all after the last page's, up to here. */
export interface FeedPage {
  rows: readonly FeedRow[];
  uptoPos: number;
}

/** What the services of this process want of streams, beside events. */
export interface Wanted {
  /** Receipts, and messages to users whose ids begin with one of these; null: neither. */
  ephemeralFor: readonly string[] | null;
  deviceLists: boolean;
}

export interface FeedNeeds {
  bus: Bus;
  interned: Pick<Interned, 'userId'>;
  store: FeedStore;
  /** Whether anything is sent from here. */
  isActive(): boolean;
  wanted(): Wanted;
}

/** The durable streams as services are told of them: the newest in memory, all of it in the database. */
export interface Feed {
  /** What comes after a position; not necessarily all of it. */
  after(pos: number): Promise<FeedPage>;
  /** Nobody asks for what is up to here any more. */
  forget(uptoPos: number): void;
  position(): number;
}

type RecentRow =
  | Exclude<FeedRow, { kind: 'message' }>
  | ({ kind: 'message' } & Omit<DeviceMessage, 'userId'>);

const sizeOf = (row: RecentRow): number => {
  if (row.kind === 'event') return 500 + (row.recent?.event.content.length ?? 0);
  return row.kind === 'message' ? 200 + row.message.length : 400;
};

export function createFeed({ bus, interned, store, isActive, wanted }: FeedNeeds): Feed {
  let recent: RecentRow[] = [];
  let characters = 0;
  /** Every row after it is in `recent`. */
  let recentFrom = bus.position();

  function drop(count: number): void {
    const dropped = recent.splice(0, count);
    if (dropped.length === 0) return;
    for (const row of dropped) characters -= sizeOf(row);
    recentFrom = Math.max(recentFrom, dropped.at(-1)!.pos);
  }

  function add(row: RecentRow): void {
    if (!isActive()) {
      drop(recent.length);
      recentFrom = Math.max(recentFrom, row.pos);
      return;
    }
    recent.push(row);
    characters += sizeOf(row);
    if (recent.length > recentRowsMax || characters > recentCharactersMax) {
      drop(Math.ceil(recent.length / 2));
    }
  }

  bus.subscribe(eventStream, (rows) => {
    for (const { pos, row } of rows) {
      const { roomNid, eventNid, sender, type, stateKey } = row.event;
      const memberId = type === 'm.room.member' ? stateKey : null;
      const own = { roomId: row.roomId, event: row.event };
      add({ kind: 'event', pos, roomNid, eventNid, sender, memberId, recent: own });
    }
  });
  bus.subscribe(receiptStream, (rows) => {
    for (const { pos, row } of rows) add({ kind: 'receipt', pos, row });
  });
  bus.subscribe(toDeviceStream, (rows) => {
    for (const { pos, row } of rows) add({ kind: 'message', pos, ...row });
  });
  bus.subscribe(deviceListStream, (rows) => {
    for (const { pos, row } of rows) add({ kind: 'devices', pos, row });
  });

  async function fromMemory(afterPos: number, lastPos: number): Promise<FeedPage> {
    const from = recent.findLastIndex(({ pos }) => pos <= afterPos) + 1;
    const rows = recent.slice(from, from + rowsPerPage).filter(({ pos }) => pos <= lastPos);
    const uptoPos = rows.length === rowsPerPage ? rows.at(-1)!.pos : lastPos;
    const named = rows.map(async (row): Promise<FeedRow> => {
      if (row.kind !== 'message') return row;
      return { ...row, userId: await interned.userId(row.userNid) };
    });
    return { rows: await Promise.all(named), uptoPos };
  }

  async function fromDatabase(afterPos: number, lastPos: number): Promise<FeedPage> {
    const { ephemeralFor, deviceLists } = wanted();
    const range = [afterPos, lastPos, rowsPerPage] as const;
    const [events, receipts, messages, lists] = await Promise.all([
      store.places(...range),
      ephemeralFor ? store.receipts(...range) : [],
      ephemeralFor
        ? store.messages([afterPos, lastPos, messagesPerTransaction], [...ephemeralFor])
        : [],
      deviceLists ? store.deviceLists(...range) : [],
    ]);
    const ends = [events, receipts, lists].flatMap((rows) =>
      rows.length === rowsPerPage ? [rows.at(-1)!.pos] : [],
    );
    if (messages.length === messagesPerTransaction) ends.push(messages.at(-1)!.pos);
    const uptoPos = Math.min(lastPos, ...ends);
    const rows: FeedRow[] = [
      ...events.map((row) => ({ kind: 'event' as const, ...row, recent: null })),
      ...receipts.map((row) => ({ kind: 'receipt' as const, pos: row.pos, row })),
      ...messages.map((row) => ({ kind: 'message' as const, ...row })),
      ...lists.map((row) => ({ kind: 'devices' as const, pos: row.pos, row })),
    ];
    return {
      rows: rows.filter(({ pos }) => pos <= uptoPos).toSorted((a, b) => a.pos - b.pos),
      uptoPos,
    };
  }

  return {
    async after(pos) {
      const lastPos = bus.position();
      if (pos >= lastPos) return { rows: [], uptoPos: pos };
      return pos >= recentFrom ? fromMemory(pos, lastPos) : fromDatabase(pos, lastPos);
    },
    forget(uptoPos) {
      const at = recent.findIndex(({ pos }) => pos > uptoPos);
      drop(at === -1 ? recent.length : at);
    },
    position: () => bus.position(),
  };
}
