import { canonicalJsonLenient } from '../matrix/canonical-json.ts';
import { joinPdu } from '../matrix/event-builder.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import { stickyPart } from './sticky.ts';

/** An event as readers see it: columns, and the content as canonical JSON text. */
export interface StoredEvent {
  roomNid: number;
  eventNid: number;
  /** Place in the timeline; null for an outlier. */
  pos: number | null;
  sub: number;
  eventId: string;
  typeNid: number;
  type: string;
  stateKey: string | null;
  sender: string;
  senderNid: number;
  originServerTs: number;
  /** Canonical JSON text. */
  content: string;
  /** Members of `unsigned` as JSON text without braces, or null. */
  unsigned: string | null;
  deviceNid: number | null;
  txnId: string | null;
  redactedBy: string | null;
  redacts: string | null;
  /**
   * It came where others had gone on already: the room's state after it is not simply the state before
   * it with the event, if it is state, in its place.
   */
  isForked: boolean;
  /** What comes just before it in the timeline is not known here. */
  isAfterGap: boolean;
  /** Parsed content, once someone has asked for it. */
  parsed?: JsonObject;
  /** The client format up to `unsigned`, once made. */
  clientPrefix?: string;
}

/** The content as an object; parsed at most once. Not to be changed. */
export function contentOf(event: StoredEvent): JsonObject {
  event.parsed ??= JSON.parse(event.content) as JsonObject;
  return event.parsed;
}

/**
 * An event that took the place of another in the state, when that other has been redacted: what it
 * tells of it is what is left. The event itself where it took the place of something else.
 */
export function afterRedaction(event: StoredEvent, redacted: StoredEvent): StoredEvent {
  const { unsigned } = event;
  const mark = `"replaces_state":${JSON.stringify(redacted.eventId)}`;
  if (event.stateKey === null || !unsigned?.includes(mark)) return event;
  const { prev_content: before } = JSON.parse(`{${unsigned}}`) as { prev_content: JsonObject };
  const told = (content: string) => `"prev_content":${content}`;
  return {
    ...event,
    unsigned: unsigned.replace(told(canonicalJsonLenient(before)), () => told(redacted.content)),
  };
}

/** For whom an event is written as JSON. */
export interface ClientFormat {
  /** Present everywhere but in `/sync`. */
  roomId?: string;
  /** Whose request it is: the sender's own device sees its transaction id. */
  deviceNid?: number | null;
  senderNid?: number;
  /** Milliseconds since 1970, for `unsigned.age`. */
  now: number;
  /** The reader's membership at the event (MSC4115), when known. */
  membership?: string | undefined;
  /** Further members of `unsigned` as JSON text, for example bundled aggregations. */
  unsigned?: string;
}

/**
 * What a redaction redacts stands in its content too, as it does from room version 11 on (client-server
 * spec, m.room.redaction).
 */
function clientContent(event: StoredEvent): string {
  const { content, redacts } = event;
  if (redacts === null || Object.hasOwn(contentOf(event), 'redacts')) return content;
  const comma = content === '{}' ? '' : ',';
  return `${content.slice(0, -1)}${comma}"redacts":${JSON.stringify(redacts)}}`;
}

function clientPrefix(event: StoredEvent): string {
  let text = `{"content":${clientContent(event)},"event_id":${JSON.stringify(event.eventId)},"origin_server_ts":${event.originServerTs}`;
  if (event.redacts !== null) text += `,"redacts":${JSON.stringify(event.redacts)}`;
  text += `,"sender":${JSON.stringify(event.sender)}`;
  if (event.stateKey !== null) text += `,"state_key":${JSON.stringify(event.stateKey)}`;
  text += `,"type":${JSON.stringify(event.type)}`;
  const sticky = stickyPart(event);
  return sticky ? `${text},"msc4354_sticky":{"duration_ms":${sticky.stickyMs}}` : text;
}

/** The member `unsigned`, as JSON text. */
function unsignedPart(event: StoredEvent, format: ClientFormat): string {
  const age = format.now - event.originServerTs;
  let text = `"unsigned":{"age":${age > 0 ? age : 0}`;
  const sticky = stickyPart(event);
  if (sticky) {
    const since = Math.min(event.originServerTs, format.now);
    const leftMs = since + sticky.stickyMs - format.now;
    if (leftMs > 0) text += `,"msc4354_sticky_duration_ttl_ms":${leftMs}`;
  }
  const unsigned = sticky ? sticky.rest : event.unsigned;
  if (unsigned !== null && unsigned !== '') text += `,${unsigned}`;
  if (format.membership !== undefined) text += `,"membership":"${format.membership}"`;
  if (
    event.txnId !== null &&
    event.deviceNid !== null &&
    event.deviceNid === format.deviceNid &&
    event.senderNid === format.senderNid
  ) {
    text += `,"transaction_id":${JSON.stringify(event.txnId)}`;
  }
  if (format.unsigned) text += `,${format.unsigned}`;
  return `${text}}`;
}

/** The event in the format of the client-server API, as JSON text. */
export function clientEventJson(event: StoredEvent, format: ClientFormat): string {
  event.clientPrefix ??= clientPrefix(event);
  let text = event.clientPrefix;
  if (format.roomId !== undefined) text += `,"room_id":${JSON.stringify(format.roomId)}`;
  return `${text},${unsignedPart(event, format)}}`;
}

/** The rest of an event's PDU, and where in it the content goes. */
export interface Envelope {
  envelope: string;
  contentAt: number;
}

/** The event as servers send it to each other, with what this one has to say of it, as JSON text. */
export function federationEventJson(
  event: StoredEvent,
  { envelope, contentAt }: Envelope,
  format: ClientFormat,
): string {
  const pdu = joinPdu(envelope, contentAt, event.content);
  return `${pdu.slice(0, -1)},${unsignedPart(event, format)}}`;
}

/** The stripped form used in invites and knocks: type, state key, sender, content. */
export function strippedEventJson(event: StoredEvent): string {
  return `{"content":${event.content},"sender":${JSON.stringify(event.sender)},"state_key":${JSON.stringify(event.stateKey ?? '')},"type":${JSON.stringify(event.type)}}`;
}
