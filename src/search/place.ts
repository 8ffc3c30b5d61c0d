import { MatrixError } from '../kernel/errors.ts';
import type { TimelinePlace } from '../streams/position.ts';

/** Where a search goes on: after an event (by time), or after a number of results (by rank). */
export interface SearchPlace {
  before: TimelinePlace;
  offset: number;
  /** Only within one group of results. */
  group: { by: 'room_id' | 'sender'; value: string } | null;
}

/** The place before the first result. */
export const beginning: SearchPlace = {
  before: { pos: Number.MAX_SAFE_INTEGER, sub: 0 },
  offset: 0,
  group: null,
};

/** Shape: `q<pos>_<sub>_<offset>`, with `_r<room id>` or `_s<user id>` for a group, base64url. */
export function formatSearchPlace({ before, offset, group }: SearchPlace): string {
  const text = `q${before.pos}_${-before.sub}_${offset}`;
  const inGroup = group ? `_${group.by === 'sender' ? 's' : 'r'}${group.value}` : '';
  return Buffer.from(text + inGroup).toString('base64url');
}

const pattern = /^q(\d{1,16})_(\d{1,9})_(\d{1,9})(?:_([rs])(.{1,255}))?$/s;

/** Throws M_INVALID_PARAM. */
export function parseSearchPlace(token: string): SearchPlace {
  const match = pattern.exec(Buffer.from(token, 'base64url').toString());
  if (!match)
    throw new MatrixError('M_INVALID_PARAM', '`next_batch` is not a token of this server');
  const [, pos, sub, offset, kind, value] = match;
  return {
    before: { pos: Number(pos), sub: -Number(sub) },
    offset: Number(offset),
    group: kind ? { by: kind === 's' ? 'sender' : 'room_id', value: value! } : null,
  };
}
