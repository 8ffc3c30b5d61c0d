import type { RowsReader } from '../streams/bus.ts';
import { contentOf, type StoredEvent } from './stored-event.ts';
import type { EventStreamStore, StreamedEvent } from './store/read-stream.ts';
import type { EventRow, MembershipChange } from './streams.ts';

const membershipIn = (content: unknown): string => {
  const { membership } = (content ?? {}) as { membership?: unknown };
  return typeof membership === 'string' ? membership : '';
};

/** What the event says about a membership; what was before stands in its `unsigned`. */
function membershipOf(event: StreamedEvent): MembershipChange | null {
  if (event.memberNid === null || event.stateKey === null) return null;
  const unsigned = JSON.parse(`{${event.unsigned ?? ''}}`) as { prev_content?: unknown };
  return {
    userId: event.stateKey,
    userNid: event.memberNid,
    isLocal: event.memberIsLocal ?? false,
    from: membershipIn(unsigned.prev_content) || 'leave',
    to: membershipIn(contentOf(event)),
  };
}

/** Reads rows of the event stream again from the database. */
export function createEventReader(store: EventStreamStore): RowsReader<EventRow> {
  return async (afterPos, uptoPos) => {
    const events = await store.events(afterPos, uptoPos);
    const targets = events.flatMap(({ roomNid, redacts }) =>
      redacts === null ? [] : [{ roomNid, eventId: redacts }],
    );
    const redacted = targets.length > 0 ? await store.redacted(targets) : [];
    const byRedaction = new Map(redacted.map((event) => [event.redactedBy, event]));
    return events.map((event) => {
      const { roomId, roomVersion, memberNid: _nid, memberIsLocal: _isLocal, ...stored } = event;
      const row: EventRow = {
        roomId,
        roomVersion,
        event: stored satisfies StoredEvent,
        membership: membershipOf(event),
        redacted: byRedaction.get(event.eventId) ?? null,
      };
      return { pos: event.pos!, row };
    });
  };
}
