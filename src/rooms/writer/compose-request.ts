import type { BuiltEvent } from '../../matrix/event-builder.ts';
import { buildNext, isUnchanged, type ComposeContext } from './compose.ts';
import type { NewEvent } from './commit-events.ts';
import type { RoomHead } from './head.ts';
import type { AppendRequest, TransactionKey } from './proto-event.ts';
import { applyRedaction, checkRedaction, type WholeEvent } from './redact.ts';
import { redactsOf, takeIn, type TakeInContext } from './take-in.ts';

/** An event of a request, made for its place in the room. */
export interface ComposedEvent {
  built: BuiltEvent;
  transaction: TransactionKey | null;
  /** What it redacts. */
  target: WholeEvent | null;
}

/** The events of a request, in the head that they were composed for. */
export interface Composed {
  made: ComposedEvent[];
  events: NewEvent[];
  /** For each event of the request: its index in `events`, or the id of what says the same. */
  places: (number | string)[];
}

/** Moves the head on by an event that was composed for it as it is. */
export function takeInComposed(
  head: RoomHead,
  { built, transaction, target }: ComposedEvent,
  context: TakeInContext,
): NewEvent {
  const event = takeIn(head, built, context, transaction);
  if (target) applyRedaction(head, event, target);
  return event;
}

/**
 * Composes the events of a request and moves the head on by them. Synchronous, so that nothing comes
 * between. Throws `MatrixError` for the first that is refused; the head may have been moved by others.
 */
export function composeRequest(
  head: RoomHead,
  request: AppendRequest,
  targets: readonly (WholeEvent | null)[] | null,
  context: ComposeContext,
): Composed {
  const made: ComposedEvent[] = [];
  const events: NewEvent[] = [];
  const places = request.events.map((proto, i) => {
    const unchanged = request.skipUnchangedState ? isUnchanged(head, proto) : null;
    if (unchanged) return unchanged.eventId;
    const target = targets?.[i] ?? null;
    if (redactsOf(proto) !== null) checkRedaction(head, proto.sender, target);
    const transaction = i === 0 ? (request.transaction ?? null) : null;
    const composed = { built: buildNext(head, proto, context), transaction, target };
    made.push(composed);
    return events.push(takeInComposed(head, composed, context)) - 1;
  });
  return { made, events, places };
}
