import type { HistoryRow } from './store/visibility-history.ts';

interface Span {
  value: string;
  fromPos: number;
  toPos: number;
}

/** Something known of the entry at a place in fetched history. */
interface Step {
  sub: number;
  /** What holds from here on; undefined: the place says only what was before. */
  value: string | undefined;
  /** What held just before; undefined: nobody knows. */
  before: string | undefined;
}

/** The value of one state entry, or of a member of it, throughout a room's history. */
export interface EntryHistory {
  spans: readonly Span[];
  /** At a position of the live timeline; empty where there is no entry. */
  at(pos: number): string;
  /** At a place in history that was fetched later (`sub` < 0); undefined: not known. */
  fetchedAt(pos: number, sub: number): string | undefined;
}

function valueIn(content: string | null, member: string): string {
  const value = content === null ? null : (JSON.parse(content) as Record<string, unknown>)[member];
  return typeof value === 'string' ? value : '';
}

/** `rows`: of one entry, in the order of positions; `member`: of the content, what is looked for. */
export function entryHistory(rows: readonly HistoryRow[], member: string): EntryHistory {
  const spans = rows
    .filter(({ sub }) => sub === null)
    .map(({ content, fromPos, toPos }) => ({ value: valueIn(content, member), fromPos, toPos }));

  function at(pos: number): string {
    const span = spans.findLast(({ fromPos, toPos }) => fromPos <= pos && pos < toPos);
    return span?.value ?? '';
  }

  const stepOf = ({ content, toPos, sub, before, isBeforeKnown }: HistoryRow): Step => {
    const known = isBeforeKnown ? valueIn(before, member) : undefined;
    // Below a live event begins what was before it in the room.
    if (content === null) {
      return { sub: sub!, value: undefined, before: sub === 0 ? (known ?? at(toPos)) : known };
    }
    return { sub: sub!, value: valueIn(content, member), before: known };
  };

  const rowsByPos = Map.groupBy(
    rows.filter(({ sub }) => sub !== null),
    ({ fromPos }) => fromPos,
  );
  const stepsByPos = new Map<number, Step[]>();
  for (const [pos, own] of rowsByPos) {
    const isTop = (step: Step) => Number(step.value !== undefined);
    stepsByPos.set(
      pos,
      own.map(stepOf).toSorted((a, b) => b.sub - a.sub || isTop(a) - isTop(b)),
    );
  }

  function fetchedAt(pos: number, sub: number): string | undefined {
    let value: string | undefined;
    for (const step of stepsByPos.get(pos) ?? []) {
      if (step.sub < sub) break;
      if (step.sub > sub || step.value === undefined) value = step.before;
      else value = step.value;
    }
    return value;
  }

  return { spans, at, fetchedAt };
}
