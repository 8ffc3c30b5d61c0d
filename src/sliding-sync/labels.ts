import { boundedCache } from '../kernel/bounded-cache.ts';
import { accountDataStream } from '../account-data/module.ts';
import type { Bus } from '../streams/bus.ts';

/** How a user has sorted their rooms: by account data. */
export interface RoomLabels {
  /** Ids of the rooms in m.direct. */
  direct: ReadonlySet<string>;
  /** Tag → numbers of the rooms that have it. */
  tags: ReadonlyMap<string, ReadonlySet<number>>;
}

export interface LabelSource {
  /** Global and room account data after a position; -1: everything. */
  changes(
    userNid: number,
    afterPos: number,
  ): Promise<{
    global: { type: string; content: string }[];
    rooms: Map<number, { type: string; content: string }[]>;
  }>;
}

const cachedUsersMax = 20_000;

function directIn(content: string | undefined): Set<string> {
  const lists = Object.values(JSON.parse(content ?? '{}') as Record<string, unknown>);
  return new Set(lists.flat().filter((id): id is string => typeof id === 'string'));
}

function tagsIn(rooms: ReadonlyMap<number, { type: string; content: string }[]>) {
  const tags = new Map<string, Set<number>>();
  for (const [roomNid, entries] of rooms) {
    const entry = entries.find(({ type }) => type === 'm.tag');
    const { tags: own } = JSON.parse(entry?.content ?? '{}') as { tags?: object };
    for (const tag of Object.keys(own ?? {})) {
      const tagged = tags.get(tag);
      if (tagged) tagged.add(roomNid);
      else tags.set(tag, new Set([roomNid]));
    }
  }
  return tags;
}

/** Remembered labels, forgotten when the user changes them. */
export function createLabels(source: LabelSource, bus: Bus) {
  const cache = boundedCache<number, RoomLabels>(cachedUsersMax);
  let changes = 0;

  bus.subscribe(accountDataStream, (rows) => {
    for (const { row } of rows) {
      if (row.type !== 'm.direct' && row.type !== 'm.tag') continue;
      changes++;
      cache.delete(row.userNid);
    }
  });

  return async (userNid: number): Promise<RoomLabels> => {
    const known = cache.get(userNid);
    if (known) return known;
    const before = changes;
    const { global, rooms } = await source.changes(userNid, -1);
    const direct = global.find(({ type }) => type === 'm.direct');
    const labels = { direct: directIn(direct?.content), tags: tagsIn(rooms) };
    if (before === changes) cache.set(userNid, labels);
    return labels;
  };
}
