import { splitPath } from '../filters/event-fields.ts';
import type { JsonObject, JsonValue } from '../pdu.ts';

/** An event as push rules see it. */
export interface PushEvent {
  eventId: string;
  roomId: string;
  type: string;
  sender: string;
  /** Null: not a state event. */
  stateKey: string | null;
  originServerTs: number;
  content: JsonObject;
}

/** What is looked up in one event again and again while rules are evaluated; made once for it. */
export class EventFacts {
  readonly sender: string;
  readonly roomId: string;
  readonly stateKey: string | null;
  /** The event says whom it mentions, so that nobody need be found in its text. */
  readonly hasMentions: boolean;
  readonly content: JsonObject;
  readonly #event: JsonObject;
  readonly #lowered = new Map<string, string | null>();

  /**
   * Ids of the users who subscribe to the event's thread (MSC4306); null: it is in no thread, or
   * there are no subscriptions.
   */
  readonly threadSubscribers: ReadonlySet<string> | null;

  constructor(event: PushEvent, threadSubscribers: ReadonlySet<string> | null = null) {
    this.threadSubscribers = threadSubscribers;
    this.sender = event.sender;
    this.roomId = event.roomId;
    this.stateKey = event.stateKey;
    this.content = event.content;
    this.hasMentions = Object.hasOwn(event.content, 'm.mentions');
    this.#event = {
      type: event.type,
      sender: event.sender,
      room_id: event.roomId,
      event_id: event.eventId,
      origin_server_ts: event.originServerTs,
      content: event.content,
      ...(event.stateKey === null ? {} : { state_key: event.stateKey }),
    };
  }

  /** The value at a path; undefined when there is none. */
  property(path: PropertyPath): JsonValue | undefined {
    let value: JsonValue | undefined = this.#event;
    for (const name of path.names) {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
      if (!Object.hasOwn(value, name)) return undefined;
      value = value[name];
    }
    return value;
  }

  /** The text at a path in lower case; null when it is no text. */
  lowerText(path: PropertyPath): string | null {
    let text = this.#lowered.get(path.key);
    if (text === undefined) {
      const value = this.property(path);
      text = typeof value === 'string' ? value.toLowerCase() : null;
      this.#lowered.set(path.key, text);
    }
    return text;
  }
}

/** A dot-separated path, cut once. */
export interface PropertyPath {
  readonly key: string;
  readonly names: readonly string[];
}

export function propertyPath(key: string): PropertyPath {
  return { key, names: splitPath(key) };
}

export const bodyPath = propertyPath('content.body');
export const mentionedUsersPath = propertyPath('content.m\\.mentions.user_ids');
