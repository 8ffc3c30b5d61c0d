/**
 * Where a reader is in all streams: `s<durable>_<ephemeral>`. Durable positions come from one
 * database sequence, so that one number covers every durable stream; ephemeral ones (typing,
 * presence) are counted in memory. A device with a backlog of messages is less far in those:
 * `s<durable>_<ephemeral>_<toDevice>`.
 */
export interface StreamPosition {
  readonly durable: number;
  readonly ephemeral: number;
  /** Absent: as far as `durable`. */
  readonly toDevice?: number;
}

/** Shape: `s123_456`, or `s123_456_100`. */
export function formatPosition({ durable, ephemeral, toDevice }: StreamPosition): string {
  const text = `s${durable}_${ephemeral}`;
  return toDevice === undefined || toDevice >= durable ? text : `${text}_${toDevice}`;
}

const pattern = /^s(\d{1,16})_(\d{1,16})(?:_(\d{1,16}))?$/;

/** Null when the text is not a position. */
export function parsePosition(text: string): StreamPosition | null {
  const match = pattern.exec(text);
  if (!match) return null;
  const position = { durable: Number(match[1]), ephemeral: Number(match[2]) };
  return match[3] === undefined ? position : { ...position, toDevice: Number(match[3]) };
}

/**
 * A place in one room's timeline, between events: `t<pos>` or `t<pos>_<sub>`; see the events table
 * for pos and sub. Tokens of `/messages` and `prev_batch`. Going backwards from a place gives the
 * events at or before it; going forwards, those after it.
 */
export interface TimelinePlace {
  readonly pos: number;
  readonly sub: number;
}

export function formatPlace(place: TimelinePlace): string {
  return place.sub === 0 ? `t${place.pos}` : `t${place.pos}_${-place.sub}`;
}

const placePattern = /^t(\d{1,16})(?:_(\d{1,9}))?$/;

/** Reads a timeline token; a sync token counts as the place behind its last event. */
export function parsePlace(text: string): TimelinePlace | null {
  const match = placePattern.exec(text);
  if (match) return { pos: Number(match[1]), sub: match[2] ? -Number(match[2]) : 0 };
  const position = parsePosition(text);
  return position ? { pos: position.durable, sub: 0 } : null;
}
