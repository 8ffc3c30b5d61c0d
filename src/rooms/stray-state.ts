import type { StoredEvent } from './stored-event.ts';

/** Where `unsigned` of a membership in a room that this server is not in keeps stripped state. */
export const strippedKey = 'invite_room_state';

interface StrippedEvent {
  type: string;
  state_key: string;
  sender: string;
  content: object;
}

/**
 * The state that came with an invite to a room, or with the answer to a knock, of other servers. Null:
 * the event has none, since this server knows the room.
 */
export function strayState(event: StoredEvent): StoredEvent[] | null {
  const { unsigned } = event;
  if (!unsigned?.startsWith(`"${strippedKey}":`)) return null;
  const { [strippedKey]: events } = JSON.parse(`{${unsigned}}`) as {
    [strippedKey]: StrippedEvent[];
  };
  return events.map(({ type, state_key: stateKey, sender, content }) => ({
    ...event,
    eventId: '',
    type,
    stateKey,
    sender,
    content: JSON.stringify(content),
    unsigned: null,
  }));
}
