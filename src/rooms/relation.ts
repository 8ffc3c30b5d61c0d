import { contentOf, type StoredEvent } from './stored-event.ts';

/** What an event says about another (client-server spec, "Forming relationships between events"). */
export interface Relation {
  /** The event referred to. */
  parentId: string;
  relType: string;
  /** Of annotations. */
  key: string | null;
}

/** Longest event id (server-server spec, "Limits"), and as much for the other names. */
const nameBytesMax = 255;

const isName = (value: unknown): value is string =>
  typeof value === 'string' && Buffer.byteLength(value) <= nameBytesMax && !value.includes('\0');

/** Null when the content relates to nothing, or not in a way that anybody could ask for. */
export function relationIn(content: Record<string, unknown>): Relation | null {
  const relatesTo = content['m.relates_to'];
  if (typeof relatesTo !== 'object' || relatesTo === null) return null;
  const { rel_type: relType, event_id: parentId, key } = relatesTo as Record<string, unknown>;
  if (!isName(relType) || !isName(parentId)) return null;
  return { parentId, relType, key: isName(key) ? key : null };
}

/** As `relationIn`; content without the word is not parsed. */
export function relationOf(event: StoredEvent): Relation | null {
  return event.content.includes('"m.relates_to"') ? relationIn(contentOf(event)) : null;
}
