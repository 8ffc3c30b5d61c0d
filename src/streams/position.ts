/**
 * Where a reader is in all streams. Durable positions come from one database sequence, so that one
 * number covers every durable stream in every process; ephemeral ones (typing, presence) are
 * counted, about in milliseconds since 1970, by each process as it hears of rows. A device
 * with a backlog of messages is less far in those.
 */
export interface StreamPosition {
  readonly durable: number;
  readonly ephemeral: number;
  /** The process whose ephemeral position it is; empty when there is but one. */
  readonly tag: string;
  /** Absent: as far as `durable`. */
  readonly toDevice?: number;
}

/** Shape: `s123_456`, `s123_456_100` with messages for the device, `s123_456_tag` among processes. */
export function formatPosition({ durable, ephemeral, tag, toDevice }: StreamPosition): string {
  let text = `s${durable}_${ephemeral}`;
  if (toDevice !== undefined && toDevice < durable) text += `_${toDevice}`;
  return tag === '' ? text : `${text}_${tag}`;
}

const pattern = /^s(\d{1,16})_(\d{1,16})(?:_(\d{1,16}))?(?:_([A-Za-z]{1,20}))?$/;

/** Null when the text is not a position. */
export function parsePosition(text: string): StreamPosition | null {
  const match = pattern.exec(text);
  if (!match) return null;
  const [, durable, ephemeral, toDevice, tag = ''] = match;
  const position = { durable: Number(durable), ephemeral: Number(ephemeral), tag };
  return toDevice === undefined ? position : { ...position, toDevice: Number(toDevice) };
}

/**
 * Whether a text is a sync token of a Synapse, whose data this server may have taken over. Where its client
 * is by the positions of this one nobody knows.
 */
export const isSynapsePosition = (text: string): boolean =>
  /^[sm][\d.~]{1,99}(?:_[\dm.~]{1,99}){6,20}$/.test(text);

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
