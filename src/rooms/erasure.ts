import { canonicalJsonLenient } from '../matrix/canonical-json.ts';
import { redactContent } from '../matrix/redaction.ts';
import { roomVersion } from '../matrix/room-versions.ts';
import { contentOf, type StoredEvent } from './stored-event.ts';

/** Which of the users have had the wish, at the end of their accounts, that this be hidden. */
export type ErasedAmong = (userNids: readonly number[]) => Promise<ReadonlySet<number>>;

/** Events of one room for one reader. */
export interface ErasurePage {
  events: readonly StoredEvent[];
  roomVersion: string;
  /** The reader's membership at an event. */
  membershipAt(event: StoredEvent): string;
}

/** What is left of an event, as if it had been redacted by itself. */
function emptied(event: StoredEvent, version: string): StoredEvent {
  const { parsed: _content, clientPrefix: _prefix, ...columns } = event;
  const content = redactContent(roomVersion(version), event.type, contentOf(event));
  return { ...columns, content: canonicalJsonLenient(content), redactedBy: event.eventId };
}

/** Of the events those of erased users, sent when the reader was not joined. */
export async function erasedAmongEvents<E extends StoredEvent>(
  erasedAmong: ErasedAmong,
  events: readonly E[],
  membershipAt: (event: E) => string,
): Promise<ReadonlySet<E>> {
  const doubtful = events.filter((event) => membershipAt(event) !== 'join');
  if (doubtful.length === 0) return new Set();
  const erased = await erasedAmong([...new Set(doubtful.map(({ senderNid }) => senderNid))]);
  return new Set(doubtful.filter(({ senderNid }) => erased.has(senderNid)));
}

/**
 * What erased users have sent goes to those only who were joined then; others get these redacted
 * copies, by event. Costs nothing for readers who were joined all the time.
 * Source: client-server spec, `erase` of `POST /account/deactivate`.
 */
export async function redactedCopies(
  erasedAmong: ErasedAmong,
  pages: readonly ErasurePage[],
): Promise<ReadonlyMap<StoredEvent, StoredEvent>> {
  const pageOf = new Map(pages.flatMap((page) => page.events.map((event) => [event, page])));
  const erased = await erasedAmongEvents(erasedAmong, [...pageOf.keys()], (event) =>
    pageOf.get(event)!.membershipAt(event),
  );
  return new Map(
    [...erased].map((event) => [event, emptied(event, pageOf.get(event)!.roomVersion)]),
  );
}
