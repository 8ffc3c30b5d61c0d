import type { Presence } from './streams.ts';

/** The content of `m.presence`, and the answer of `GET /presence/{userId}/status`. */
export function presenceContent(presence: Presence, now: number): Record<string, unknown> {
  const content: Record<string, unknown> = { presence: presence.state };
  if (presence.lastActiveTs !== null) {
    content.last_active_ago = Math.max(0, now - presence.lastActiveTs);
  }
  if (presence.statusMsg !== null) content.status_msg = presence.statusMsg;
  if (presence.state === 'online') content.currently_active = presence.isCurrentlyActive;
  return content;
}

/** An `m.presence` event for `/sync`. */
export interface PresenceEvent {
  sender: string;
  /** The event as JSON text. */
  json: string;
}

/** `now`: milliseconds since 1970. */
export function presenceEvent(presence: Presence, now: number): PresenceEvent {
  const { userId: sender } = presence;
  const content = JSON.stringify(presenceContent(presence, now));
  const json = `{"content":${content},"sender":${JSON.stringify(sender)},"type":"m.presence"}`;
  return { sender, json };
}
