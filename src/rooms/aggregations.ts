import type { Actor } from './needs.ts';
import type { StoredEvent } from './stored-event.ts';

/** Events of one room that are shown together. */
export interface PageOfEvents {
  roomNid: number;
  /** Absent where events are shown without their room, as in `/sync`. */
  roomId?: string;
  events: readonly StoredEvent[];
  /** Later events are not known to the reader. */
  uptoPos?: number;
  /** For a reader who was not joined all the time: what erased users have sent is redacted. */
  partly?: { roomVersion: string; membershipAt(event: StoredEvent): string };
}

/** What other events add to an event: edits, references, threads. */
export interface Aggregations {
  /**
   * By event id, for those of the events that have any: `"m.relations":{…}`, to be added to
   * `unsigned`. At most two queries, whatever the number of events.
   */
  of(
    pages: readonly PageOfEvents[],
    reader: Pick<Actor, 'userNid' | 'deviceNid'>,
  ): Promise<ReadonlyMap<string, string>>;
}
