import type { EventFilter } from '../matrix/filters/event-filter.ts';
import type { TimelineMatch } from './store/read-timeline.ts';

/** A filter's type with `*` as a `like` pattern. */
const likePattern = (type: string) => type.replace(/[\\%_]/g, '\\$&').replaceAll('*', '%');

/** What of a client's filter the database sees to; null when there is nothing to see to. */
export function timelineMatchOf(filter: EventFilter): TimelineMatch | null {
  const match = {
    types: filter.types?.map(likePattern) ?? null,
    notTypes: filter.notTypes.length > 0 ? filter.notTypes.map(likePattern) : null,
    senders: filter.senders ? [...filter.senders] : null,
    notSenders: filter.notSenders.length > 0 ? [...filter.notSenders] : null,
    containsUrl: filter.containsUrl,
  };
  return Object.values(match).every((value) => value === null) ? null : match;
}
