import { LRUCache } from 'lru-cache';
import { joinPdu } from '../matrix/event-builder.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import { eventStream } from '../rooms/module.ts';
import type { Bus } from '../streams/bus.ts';
import type { EventItem } from './destination.ts';
import type { OwnEventStore, PduRow } from './store/own-events.ts';

/** Events as they are sent to servers, the latest in memory: an event goes to many. */
export interface PduReader {
  /** In the same order; those that are no more are left out. */
  load(items: readonly EventItem[]): Promise<JsonObject[]>;
}

/** Memory for PDUs, in UTF-16 units of their JSON. */
const charactersMax = 8 * 1024 * 1024;

interface Batch {
  items: Map<number, EventItem>;
  loaded: Promise<ReadonlyMap<number, JsonObject>>;
}

export function createPduReader(store: Pick<OwnEventStore, 'pdus'>, bus: Bus): PduReader {
  const cache = new LRUCache<number, { pdu: JsonObject; size: number }>({
    maxSize: charactersMax,
    sizeCalculation: ({ size }) => size,
  });
  /** What is asked for within one turn of the event loop goes together. */
  let gathering: Batch | null = null;
  /** Changes with every redaction: what was read before may be outdated. */
  let generation = 0;

  bus.subscribe(eventStream, (rows) => {
    for (const { row } of rows) {
      if (!row.redacted) continue;
      generation++;
      cache.delete(row.redacted.eventNid);
    }
  });

  function pduOf({ content, envelope, contentAt }: PduRow): { pdu: JsonObject; size: number } {
    const text = joinPdu(envelope, contentAt, content);
    return { pdu: JSON.parse(text) as JsonObject, size: text.length };
  }

  async function loadAll(items: Map<number, EventItem>): Promise<Map<number, JsonObject>> {
    await new Promise((resolve) => void setImmediate(resolve));
    gathering = null;
    const before = generation;
    const found = new Map<number, JsonObject>();
    for (const row of await store.pdus([...items.values()])) {
      const one = pduOf(row);
      found.set(row.eventNid, one.pdu);
      if (before === generation) cache.set(row.eventNid, one);
    }
    return found;
  }

  function batch(): Batch {
    if (gathering) return gathering;
    const items = new Map<number, EventItem>();
    gathering = { items, loaded: loadAll(items) };
    return gathering;
  }

  return {
    async load(items) {
      const known = new Map<number, JsonObject>();
      let loading: Batch | null = null;
      for (const item of items) {
        const one = cache.get(item.eventNid);
        if (one) known.set(item.eventNid, one.pdu);
        else {
          loading ??= batch();
          loading.items.set(item.eventNid, item);
        }
      }
      const loaded = await loading?.loaded;
      return items
        .map(({ eventNid }) => known.get(eventNid) ?? loaded?.get(eventNid))
        .filter((pdu) => pdu !== undefined);
    },
  };
}
