import type { Pdu } from '../pdu.ts';
import { creatorsOf, parsePowerLevels } from '../power-levels.ts';
import type { RoomVersion } from '../room-versions.ts';
import { authIdsOf, type EventSource } from './types.ts';

const compareText = (a: string, b: string) => (a < b ? -1 : Number(a > b));

/** The power levels event among an event's auth events. */
function powerLevelsOf(pdu: Pdu, events: EventSource): string | undefined {
  return authIdsOf(pdu).find((id) => events.get(id)?.type === 'm.room.power_levels');
}

/** The power level of an event's sender by its own auth events. */
function senderLevel(
  version: RoomVersion,
  pdu: Pdu,
  events: EventSource,
  createId: string | undefined,
): number {
  const ids = authIdsOf(pdu);
  const named = ids.find((id) => events.get(id)?.type === 'm.room.create') ?? createId;
  const create = named === undefined ? undefined : events.get(named);
  if (!create) return 0;
  if (creatorsOf(version, create).includes(pdu.sender)) return Infinity;
  const levelsId = powerLevelsOf(pdu, events);
  const levels = levelsId === undefined ? undefined : events.get(levelsId);
  return parsePowerLevels(version, levels, create).userLevel(pdu.sender);
}

interface Node {
  id: string;
  level: number;
  ts: number;
  /** Auth events in the set that are not yet placed. */
  open: number;
}

/** Greater power first, then earlier, then the smaller id. */
const comparePower = (a: Node, b: Node) => {
  if (a.level !== b.level) return a.level > b.level ? -1 : 1;
  return a.ts - b.ts || compareText(a.id, b.id);
};

/** The reverse topological power ordering of a set of events (Kahn's algorithm). */
export function powerOrdering(
  version: RoomVersion,
  ids: ReadonlySet<string>,
  events: EventSource,
  createId: string | undefined,
): string[] {
  const nodes = new Map<string, Node>();
  const dependants = new Map<string, string[]>();
  for (const id of ids) {
    const pdu = events.get(id)!;
    const inside = new Set(authIdsOf(pdu).filter((other) => ids.has(other)));
    const level = senderLevel(version, pdu, events, createId);
    nodes.set(id, { id, level, ts: pdu.origin_server_ts, open: inside.size });
    for (const other of inside) {
      const list = dependants.get(other);
      if (list) list.push(id);
      else dependants.set(other, [id]);
    }
  }
  const ready = [...nodes.values()].filter((node) => node.open === 0);
  const ordered: string[] = [];
  while (ready.length > 0) {
    let smallest = 0;
    for (let i = 1; i < ready.length; i++) {
      if (comparePower(ready[i]!, ready[smallest]!) < 0) smallest = i;
    }
    const [node] = ready.splice(smallest, 1);
    ordered.push(node!.id);
    for (const id of dependants.get(node!.id) ?? []) {
      const dependant = nodes.get(id)!;
      if (--dependant.open === 0) ready.push(dependant);
    }
  }
  return ordered;
}

/** The mainline ordering of events based on a power levels event. */
export function mainlineOrdering(
  ids: Iterable<string>,
  powerLevelsId: string | undefined,
  events: EventSource,
): string[] {
  const positions = new Map<string, number>();
  let at = powerLevelsId;
  while (at !== undefined && !positions.has(at)) {
    positions.set(at, positions.size);
    const pdu = events.get(at);
    at = pdu && powerLevelsOf(pdu, events);
  }

  function positionOf(id: string): number {
    const pdu = events.get(id)!;
    const seen = new Set<string>();
    let levels = powerLevelsOf(pdu, events);
    while (levels !== undefined && !seen.has(levels)) {
      const position = positions.get(levels);
      if (position !== undefined) return position;
      seen.add(levels);
      levels = powerLevelsOf(events.get(levels)!, events);
    }
    return Infinity;
  }

  const entries = [...ids].map((id) => ({
    id,
    position: positionOf(id),
    ts: events.get(id)!.origin_server_ts,
  }));
  entries.sort((a, b) => {
    if (a.position !== b.position) return a.position > b.position ? -1 : 1;
    return a.ts - b.ts || compareText(a.id, b.id);
  });
  return entries.map((entry) => entry.id);
}
