import type { Bus } from '../streams/bus.ts';
import {
  deviceListStream,
  userSignatureStream,
  type DeviceListRow,
  type UserSignatureRow,
} from './streams.ts';

/** Changes kept in memory; a few hundred bytes each. */
const changesMax = 5_000;

type Change =
  | { pos: number; kind: 'devices'; row: DeviceListRow }
  | { pos: number; kind: 'signatures'; row: UserSignatureRow };

/** Who reads, and where. */
export interface ChangeReader {
  userNid: number;
  isInRoom(roomNid: number): boolean;
}

/** The latest changes of device lists, so that those who are syncing get them without a query. */
export interface RecentChanges {
  /** Ids of users who look different to the reader; null: some changes may be older than known. */
  after(reader: ChangeReader, afterPos: number, uptoPos: number): string[] | null;
}

function concerns({ kind, row }: Change, reader: ChangeReader): boolean {
  if (row.userNid === reader.userNid) return true;
  return kind === 'devices' && row.roomNids.some((roomNid) => reader.isInRoom(roomNid));
}

export function createRecentChanges(bus: Bus, max = changesMax): RecentChanges {
  /** Oldest first. */
  let changes: Change[] = [];
  /** Everything after this position is here. */
  let start = bus.position();

  function add(change: Change): void {
    changes.push(change);
    if (changes.length <= max) return;
    const kept = changes.slice(-Math.floor(max / 2));
    start = changes[changes.length - kept.length - 1]!.pos;
    changes = kept;
  }

  bus.subscribe(deviceListStream, (rows) => {
    for (const { pos, row } of rows) add({ pos, kind: 'devices', row });
  });
  bus.subscribe(userSignatureStream, (rows) => {
    for (const { pos, row } of rows) add({ pos, kind: 'signatures', row });
  });

  return {
    after(reader, afterPos, uptoPos) {
      if (afterPos < start) return null;
      const found = new Set<string>();
      for (let i = changes.length - 1; i >= 0; i--) {
        const change = changes[i]!;
        if (change.pos <= afterPos) break;
        if (change.pos > uptoPos || !concerns(change, reader)) continue;
        if (change.kind === 'devices') found.add(change.row.userId);
        else for (const userId of change.row.targetIds) found.add(userId);
      }
      return [...found];
    },
  };
}
