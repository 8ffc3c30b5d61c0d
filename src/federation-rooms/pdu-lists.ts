import type { EventStore } from './store/events.ts';
import { pduText } from './server-view.ts';

/** PDUs in memory at once, of up to 64 KiB each. */
const groupSize = 100;
/** Ids in one piece of text. */
const idsInPiece = 1_000;

/** Parts of a list in JSON; together they are its elements, with commas between. */
export type ListParts = AsyncIterable<string> | Iterable<string>;

/** The PDUs of events of a room, as they are stored, as elements of a list in JSON. */
export async function* pduListParts(
  store: Pick<EventStore, 'pdus'>,
  roomNid: number,
  eventNids: readonly number[],
): AsyncGenerator<string> {
  for (let at = 0; at < eventNids.length; at += groupSize) {
    // oxlint-disable-next-line no-await-in-loop -- bounds the memory
    const rows = await store.pdus(roomNid, eventNids.slice(at, at + groupSize));
    const text = rows.map(pduText).join(',');
    yield at === 0 ? text : `,${text}`;
  }
}

/** Ids as elements of a list in JSON. */
export function* idListParts(ids: readonly string[]): Generator<string> {
  for (let at = 0; at < ids.length; at += idsInPiece) {
    const text = ids
      .slice(at, at + idsInPiece)
      .map((id) => JSON.stringify(id))
      .join(',');
    yield at === 0 ? text : `,${text}`;
  }
}

/** The text of an object of lists in pieces; the parts of a list are asked for when it is its turn. */
export async function* listsText(
  lists: Readonly<Record<string, ListParts>>,
): AsyncGenerator<string> {
  let lead = '{';
  for (const [name, parts] of Object.entries(lists)) {
    lead += `${JSON.stringify(name)}:[`;
    for await (const part of parts) {
      yield lead + part;
      lead = '';
    }
    lead += '],';
  }
  yield `${lead.slice(0, -1)}}`;
}
