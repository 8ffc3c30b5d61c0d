import type { TimelinePlace } from '../streams/position.ts';
import { entryHistory } from './entry-history.ts';
import type { HistoryRow } from './store/visibility-history.ts';
import type { StoredEvent } from './stored-event.ts';

/** `fromPos <= p < toPos`. */
export interface PositionRange {
  fromPos: number;
  toPos: number;
}

/**
 * Which events of a room a user may see. Source: client-server spec, "Room history visibility".
 * Membership and visibility are ranges of positions, so that no state is looked up per event.
 */
export interface Visibility {
  allows(event: StoredEvent): boolean;
  /** Whether the user may see what comes before a gap in the history that is known. */
  allowsBelow(gap: TimelinePlace): boolean;
  /** The positions at which the user may see what is said, in their order; none overlap. */
  readable(): PositionRange[];
  /** The user's membership at an event, `leave` when there was none. */
  membershipAt(event: StoredEvent): string;
  /** The last position at which the user was joined; -1: never joined. */
  lastJoinedPos: number;
  /** The first position at which the user was joined; -1: never joined. */
  firstJoinedPos: number;
  /** May read the room as it is now without being a member. */
  isWorldReadableNow: boolean;
}

/** The same for somebody who wants nothing of some users but state. */
export function withoutSenders(visibility: Visibility, ignored: ReadonlySet<string>): Visibility {
  if (ignored.size === 0) return visibility;
  return {
    ...visibility,
    allows: (event) =>
      (event.stateKey !== null || !ignored.has(event.sender)) && visibility.allows(event),
  };
}

export function visibilityFor(userId: string, history: readonly HistoryRow[]): Visibility {
  const [ofMember, ofRoom] = [true, false].map((isMember) =>
    history.filter((row) => row.isMember === isMember),
  );
  const memberHistory = entryHistory(ofMember!, 'membership');
  const visibilityHistory = entryHistory(ofRoom!, 'history_visibility');
  const { spans: memberships } = memberHistory;
  const { spans: visibilities } = visibilityHistory;
  let lastJoined = -1;
  for (const { value, toPos } of memberships) {
    if (value === 'join') lastJoined = Math.max(lastJoined, toPos - 1);
  }

  function isAllowed(membership: string, visibility: string, pos: number): boolean {
    if (visibility === 'world_readable' || membership === 'join') return true;
    // Rooms without the event, and unknown values, are `shared`.
    const isShared = visibility !== 'joined' && visibility !== 'invited';
    if (isShared && pos <= lastJoined) return true;
    return visibility === 'invited' && membership === 'invite';
  }

  const membershipAt = ({ pos, sub }: TimelinePlace): string =>
    (sub < 0 ? memberHistory.fetchedAt(pos, sub) : memberHistory.at(pos)) ?? '';

  // Where it is not known whether there was more to see, there was not.
  const visibilityAt = ({ pos, sub }: TimelinePlace): string =>
    (sub < 0 ? visibilityHistory.fetchedAt(pos, sub) : visibilityHistory.at(pos)) ?? 'joined';

  const allowsAt = (place: TimelinePlace): boolean =>
    isAllowed(membershipAt(place), visibilityAt(place), place.pos);

  /** The place whose state is the one before an event, as far as that is known. */
  const before = ({ pos, sub }: TimelinePlace): TimelinePlace =>
    sub < 0 ? { pos, sub: sub - 1 } : { pos: pos - 1, sub: 0 };

  function allows({ pos, sub, type, stateKey }: StoredEvent): boolean {
    const place = { pos: pos ?? 0, sub };
    if (allowsAt(place)) return true;
    // One may see how one came and went.
    if (stateKey === userId && type === 'm.room.member') return true;
    if (type === 'm.room.history_visibility' && stateKey === '') {
      const last = visibilityAt(before(place));
      return isAllowed(membershipAt(place), last, place.pos);
    }
    return false;
  }

  /** Nothing changes between two of these. */
  function turns(): number[] {
    const ends = [...memberships, ...visibilities].flatMap(({ fromPos, toPos }) => [
      fromPos,
      toPos,
    ]);
    const all = [0, ...ends, lastJoined + 1, Infinity].map((pos) =>
      Math.min(pos, Number.MAX_SAFE_INTEGER),
    );
    return [...new Set(all)].sort((a, b) => a - b);
  }

  function readable(): PositionRange[] {
    const ranges: PositionRange[] = [];
    const starts = turns();
    for (const [i, fromPos] of starts.slice(0, -1).entries()) {
      const [membership, visibility] = [memberHistory.at(fromPos), visibilityHistory.at(fromPos)];
      if (!isAllowed(membership, visibility, fromPos)) continue;
      const toPos = starts[i + 1]!;
      const last = ranges.at(-1);
      if (last?.toPos === fromPos) last.toPos = toPos;
      else ranges.push({ fromPos, toPos });
    }
    return ranges;
  }

  return {
    allows,
    allowsBelow: ({ pos, sub }) => allowsAt({ pos, sub: sub - 1 }),
    readable,
    membershipAt: ({ pos, sub }) => membershipAt({ pos: pos ?? 0, sub }) || 'leave',
    lastJoinedPos: lastJoined,
    firstJoinedPos: memberships.find(({ value }) => value === 'join')?.fromPos ?? -1,
    isWorldReadableNow: visibilities.at(-1)?.value === 'world_readable',
  };
}
