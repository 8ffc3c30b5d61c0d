/** JSON values as they come out of `JSON.parse`. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | JsonValue[]
  | { [key: string]: JsonValue };
export type JsonObject = { [key: string]: JsonValue };

/**
 * An event in the format that servers exchange (server-server spec, "PDUs"). In room versions 1 and 2
 * `event_id` is present and `prev_events`, `auth_events` hold `[event_id, {sha256}]` pairs; from 3 on
 * they hold event ids and the id is the reference hash. From 12 on a create event has no `room_id`.
 */
export interface Pdu {
  event_id?: string;
  room_id?: string;
  sender: string;
  type: string;
  state_key?: string;
  content: JsonObject;
  origin_server_ts: number;
  depth: number;
  prev_events: (string | [string, JsonObject])[];
  auth_events: (string | [string, JsonObject])[];
  hashes: { sha256: string };
  signatures: Record<string, Record<string, string>>;
  redacts?: string;
  origin?: string;
  /** MSC4354 */
  msc4354_sticky?: JsonValue;
  unsigned?: JsonObject;
}

/** The ids of events that another names, in either format of references. */
export const referencedIds = (references: Pdu['prev_events']): string[] =>
  references.map((reference) => (typeof reference === 'string' ? reference : reference[0]));

/** A PDU together with its id: what authorisation and state resolution work on. */
export interface IdentifiedPdu {
  eventId: string;
  pdu: Pdu;
}

/** The state that an event is authorised against. */
export interface AuthState {
  get(type: string, stateKey: string): IdentifiedPdu | undefined;
}

export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
