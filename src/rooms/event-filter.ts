import type { RoomEventFilter } from '../matrix/filters/event-filter.ts';
import type { TimelineMatch } from './store/read-timeline.ts';

/** A filter's type with `*` as a `like` pattern. */
const likePattern = (type: string) => type.replace(/[\\%_]/g, '\\$&').replaceAll('*', '%');

const unlessEmpty = (list: readonly string[] | null) => (list?.length ? [...list] : null);

const nobody: ReadonlySet<string> = new Set();

/**
 * What of a client's filter, and of whom its user ignores, the database sees to; null when there is
 * nothing to see to.
 */
export function timelineMatchOf(
  { criteria, relatedBySenders, relatedByRelTypes }: RoomEventFilter,
  ignoredUsers = nobody,
): TimelineMatch | null {
  const match = {
    types: criteria.types?.map(likePattern) ?? null,
    notTypes: unlessEmpty(criteria.notTypes)?.map(likePattern) ?? null,
    senders: criteria.senders ? [...criteria.senders] : null,
    notSenders: unlessEmpty(criteria.notSenders),
    containsUrl: criteria.containsUrl,
    relTypes: criteria.relTypes ? [...criteria.relTypes] : null,
    notRelTypes: unlessEmpty(criteria.notRelTypes),
    relatedBySenders: relatedBySenders ? [...relatedBySenders] : null,
    relatedByRelTypes: relatedByRelTypes ? [...relatedByRelTypes] : null,
    ignoredSenders: ignoredUsers.size > 0 ? [...ignoredUsers] : null,
  };
  return Object.values(match).every((value) => value === null) ? null : match;
}
