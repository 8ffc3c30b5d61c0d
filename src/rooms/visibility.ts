import type { StoredEvent } from './stored-event.ts';

/** A stretch of a room's history in which a state entry held: `fromPos <= p < toPos`. */
export interface HistorySpan {
  isMember: boolean;
  /** JSON text of the entry's content. */
  content: string;
  fromPos: number;
  toPos: number;
}

/** `fromPos <= p < toPos`. */
export interface PositionRange {
  fromPos: number;
  toPos: number;
}

interface Span {
  value: string;
  fromPos: number;
  toPos: number;
}

function spansOf(history: readonly HistorySpan[], isMember: boolean, member: string): Span[] {
  return history
    .filter((span) => span.isMember === isMember)
    .map(({ content, fromPos, toPos }) => {
      const value = (JSON.parse(content) as Record<string, unknown>)[member];
      return { value: typeof value === 'string' ? value : '', fromPos, toPos };
    });
}

function valueAt(spans: readonly Span[], pos: number): string {
  for (let i = spans.length - 1; i >= 0; i--) {
    const span = spans[i]!;
    if (span.fromPos <= pos && pos < span.toPos) return span.value;
  }
  return '';
}

/**
 * Which events of a room a user may see. Source: client-server spec, "Room history visibility".
 * Membership and visibility are ranges of positions, so that no state is looked up per event.
 */
export interface Visibility {
  allows(event: StoredEvent): boolean;
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

export function visibilityFor(userId: string, history: readonly HistorySpan[]): Visibility {
  const memberships = spansOf(history, true, 'membership');
  const visibilities = spansOf(history, false, 'history_visibility');
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

  function allows(event: StoredEvent): boolean {
    const pos = event.pos ?? 0;
    const membership = valueAt(memberships, pos);
    const visibility = valueAt(visibilities, pos);
    if (isAllowed(membership, visibility, pos)) return true;
    if (event.stateKey === userId && event.type === 'm.room.member') {
      // One may see how one came and went.
      if (event.sub === 0) return true;
      return isAllowed(valueAt(memberships, pos - 1), visibility, pos);
    }
    if (event.type === 'm.room.history_visibility' && event.stateKey === '') {
      return isAllowed(membership, valueAt(visibilities, pos - 1), pos);
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
      const [membership, visibility] = [
        valueAt(memberships, fromPos),
        valueAt(visibilities, fromPos),
      ];
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
    readable,
    membershipAt: (event) => valueAt(memberships, event.pos ?? 0) || 'leave',
    lastJoinedPos: lastJoined,
    firstJoinedPos: memberships.find(({ value }) => value === 'join')?.fromPos ?? -1,
    isWorldReadableNow: visibilities.at(-1)?.value === 'world_readable',
  };
}
