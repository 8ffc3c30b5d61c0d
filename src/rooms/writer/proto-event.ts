import type { BuiltEvent } from '../../matrix/event-builder.ts';
import type { JsonObject } from '../../matrix/pdu.ts';
import { isPolicyState } from '../../matrix/policy-server.ts';

/** An event that somebody wants in a room: all but what its place there decides. */
export interface ProtoEvent {
  sender: string;
  type: string;
  /** Present for state. */
  stateKey?: string;
  content: JsonObject;
  redacts?: string;
  /** For how long it is sticky (MSC4354), in milliseconds. */
  stickyMs?: number;
  /** Milliseconds since 1970; now when absent. Application services may set it. */
  originServerTs?: number;
}

/** Identifies a client's request, so that its retry has the effect once. */
export interface TransactionKey {
  deviceNid: number | null;
  txnId: string;
  /** The endpoint and its path parameters. */
  scope: string;
}

/** Events for one room, appended in order, all or none. Plain data: it may cross processes. */
export interface AppendRequest {
  roomId: string;
  events: ProtoEvent[];
  /** Belongs to the first event. */
  transaction?: TransactionKey;
  /** Leave out state that says what is there already, by the same sender. */
  skipUnchangedState?: boolean;
  /** What the membership of a user must be just before the events, or why they are refused. */
  expect?: { userId: string; memberships: string[]; otherwise: string };
}

/** Events of other servers for one room, well-formed and signed, in the order they are to be tried. */
export interface ReceiveRequest {
  roomId: string;
  events: BuiltEvent[];
  /**
   * Ids of the states after events that are not known here, by their ids: what is told by the server
   * that the events come from. All of those states must be stored.
   */
  statesAfter?: Record<string, string[]>;
}

/** What became of a received event. Source: server-server spec, "Checks performed on receipt of a PDU". */
export interface ReceivedEvent {
  eventId: string;
  /** `missing`: it is not stored, for want of the events it names. */
  outcome: 'accepted' | 'soft_failed' | 'rejected' | 'known' | 'missing';
  /** Why it was soft-failed or rejected. */
  reason: string | null;
  missing: string[];
  /** Stream position of an accepted event. */
  pos: number | null;
}

export interface CreateRequest {
  roomVersion: string;
  creator: string;
  /** Content of m.room.create without what the server adds. */
  createContent: JsonObject;
  events: ProtoEvent[];
  /** An alias of this server, which must be free, made with the room. */
  alias: string | null;
  /** Shown in the room directory. */
  isPublic: boolean;
}

export interface AppendedEvent {
  eventId: string;
  /** Stream position; null when nothing was appended because the state was there already. */
  pos: number | null;
}

/** Whether the event says which policy server the room has. */
export const isPolicyProto = ({ type, stateKey }: ProtoEvent): boolean =>
  stateKey !== undefined && isPolicyState({ type, state_key: stateKey });

/** The users whose member events decide whether these events are allowed. */
export function membersConcerned(events: readonly ProtoEvent[]): string[] {
  const users = new Set<string>();
  for (const event of events) {
    users.add(event.sender);
    if (event.type !== 'm.room.member' || event.stateKey === undefined) continue;
    users.add(event.stateKey);
    const authoriser = event.content['join_authorised_via_users_server'];
    if (typeof authoriser === 'string') users.add(authoriser);
  }
  return [...users];
}
