import type { RowsReader } from '../streams/bus.ts';
import { contentOf, type StoredEvent } from './stored-event.ts';
import type { ChangedEntryRow, EventStreamStore, StreamedEvent } from './store/read-stream.ts';
import type { EventRow, MembershipChange } from './streams.ts';

const membershipIn = (content: unknown): string => {
  const { membership } = (content ?? {}) as { membership?: unknown };
  return typeof membership === 'string' ? membership : 'leave';
};

/** What the event says about a membership; what was before stands in its `unsigned`. */
function membershipsBy(event: StreamedEvent): MembershipChange[] {
  if (event.memberNid === null || event.stateKey === null) return [];
  const unsigned = JSON.parse(`{${event.unsigned ?? ''}}`) as { prev_content?: unknown };
  return [
    {
      userId: event.stateKey,
      userNid: event.memberNid,
      isLocal: event.memberIsLocal ?? false,
      from: membershipIn(unsigned.prev_content),
      to: membershipIn(contentOf(event)),
    },
  ];
}

/** What the meeting of forks has done to memberships. */
function membershipsIn(changes: readonly ChangedEntryRow[]): MembershipChange[] {
  return changes.flatMap(({ stateKey, memberNid, memberIsLocal, before, after }) => {
    if (memberNid === null) return [];
    return {
      userId: stateKey,
      userNid: memberNid,
      isLocal: memberIsLocal ?? false,
      from: membershipIn(JSON.parse(before ?? '{}')),
      to: membershipIn(JSON.parse(after ?? '{}')),
    };
  });
}

async function redactedBy(store: EventStreamStore, events: readonly StreamedEvent[]) {
  const targets = events.flatMap(({ roomNid, redacts }) =>
    redacts === null ? [] : [{ roomNid, eventId: redacts }],
  );
  const redacted = targets.length > 0 ? await store.redacted(targets) : [];
  return new Map(redacted.map((event) => [event.redactedBy, event]));
}

/** Reads rows of the event stream again from the database. */
export function createEventReader(store: EventStreamStore): RowsReader<EventRow> {
  return async (afterPos, uptoPos) => {
    const events = await store.events(afterPos, uptoPos);
    const forked = events.filter((event) => event.isForked);
    const [byRedaction, changes] = await Promise.all([
      redactedBy(store, events),
      forked.length > 0 ? store.changes(forked) : [],
    ]);
    const byPos = Map.groupBy(changes, ({ pos }) => pos);
    return events.map((event) => {
      const { roomId, roomVersion, memberNid: _nid, memberIsLocal: _isLocal, ...stored } = event;
      const own = event.isForked ? (byPos.get(event.pos!) ?? []) : null;
      const row: EventRow = {
        roomId,
        roomVersion,
        event: stored satisfies StoredEvent,
        memberships: own ? membershipsIn(own) : membershipsBy(event),
        changed: own ? own.map(({ type, stateKey }) => [type, stateKey] as const) : null,
        redacted: byRedaction.get(event.eventId) ?? null,
      };
      return { pos: event.pos!, row };
    });
  };
}
