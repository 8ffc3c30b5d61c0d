import type { BatchItem } from '../../database/database.ts';
import type { Statement } from '../../database/statement.ts';
import type { CommitKind } from '../../streams/committer.ts';
import type { StreamRow } from '../../streams/define-stream.ts';
import {
  appendEvents,
  appendMessages,
  appendParameters,
  insertRoom,
  redactEvent,
  type AppendedRow,
  type NewEventColumns,
} from '../store/append-events.ts';
import { extremitiesItem } from '../store/append-received.ts';
import { relationsItem } from '../store/relations.ts';
import { stickyItem } from '../store/sticky-events.ts';
import type { StoredEvent } from '../stored-event.ts';
import { eventStream, type EventRow, type MembershipChange } from '../streams.ts';
import type { RoomHead } from './head.ts';

/** An event that has been built, on its way to disk. */
export interface NewEvent {
  columns: NewEventColumns;
  /** As readers will see it, but for its position. */
  stored: StoredEvent;
  memberships: readonly MembershipChange[];
  redaction: Redaction | null;
  /** Ids of the forward extremities, where they are to be marked anew. */
  marks: readonly string[] | null;
}

/** What a redaction does to its target. */
export interface Redaction {
  target: StoredEvent;
  envelope: string;
  contentAt: number;
}

/** Events of one room that are written together or not at all. */
export interface EventUnit {
  head: RoomHead;
  events: NewEvent[];
  /** Set when the room comes into being with these events. */
  creation: RoomCreation | null;
}

export interface RoomCreation {
  createdTs: number;
  isPublic: boolean;
  alias: string | null;
  creatorNid: number;
}

/** A unit stood on events that were not stored. Its caller builds it anew. */
export class HeadLost extends Error {
  constructor() {
    super('the room changed under this event; build it anew');
    this.name = 'HeadLost';
  }
}

const anonymous = (item: { statement: Statement<never, never>; params: readonly unknown[] }) =>
  item as unknown as BatchItem;

/** Empties the target of a redaction. */
export function redactionItem({ target, envelope, contentAt }: Redaction): BatchItem {
  const { roomNid, eventId, content, redactedBy, unsigned } = target;
  const params = [roomNid, eventId, content, envelope, contentAt, redactedBy, unsigned];
  return anonymous({ statement: redactEvent as never, params });
}

function statementsOf(units: readonly EventUnit[]): BatchItem[] {
  const items: BatchItem[] = [];
  const events: NewEventColumns[] = [];
  let withState = false;
  for (const { head, events: own, creation } of units) {
    if (creation) {
      const { createdTs, isPublic, alias, creatorNid } = creation;
      const { roomNid, roomId, version } = head;
      const params = [roomNid, roomId, version.id, createdTs, isPublic, alias, creatorNid];
      items.push(anonymous({ statement: insertRoom as never, params }));
    }
    for (const event of own) {
      events.push(event.columns);
      withState ||= event.columns.stateKey !== null;
    }
  }
  const statement = withState ? appendEvents : appendMessages;
  items.push({ statement: statement as never, params: appendParameters(events, withState) });
  const stored = units.flatMap((unit) => unit.events.map((event) => event.stored));
  const relations = relationsItem(stored);
  if (relations) items.push(relations);
  const sticky = stickyItem(stored);
  if (sticky) items.push(sticky);
  for (const { head, events: own } of units) {
    for (const { redaction } of own) if (redaction) items.push(redactionItem(redaction));
    const marks = own.findLast((event) => event.marks !== null)?.marks;
    if (marks) items.push(extremitiesItem(head.roomNid, marks));
  }
  return items;
}

function complete(units: readonly EventUnit[], rows: readonly unknown[][]) {
  const created = units.filter((unit) => unit.creation).length;
  const appended = rows[created] as AppendedRow[];
  const publish: StreamRow<EventRow>[] = [];
  let next = 0;
  const results = units.map(({ head, events }) => {
    head.isStored = true;
    for (const event of events) {
      const { pos } = appended[next++]!;
      event.stored.pos = pos;
      event.stored.eventNid = pos;
      publish.push({
        stream: eventStream,
        pos,
        row: {
          roomId: head.roomId,
          roomVersion: head.version.id,
          event: event.stored,
          memberships: event.memberships,
          changed: null,
          redacted: event.redaction?.target ?? null,
        },
      });
    }
    return events;
  });
  return { results, publish: publish as StreamRow[] };
}

/** Group commit of events: one multi-row statement for all rooms of a batch. */
export const eventCommit: CommitKind<EventUnit, NewEvent[]> = {
  name: 'events',
  voidReason: (unit) => (unit.head.broken ? new HeadLost() : null),
  fence: (unit) => unit.head.fence,
  statements: statementsOf,
  complete,
};
