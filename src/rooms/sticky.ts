import type { Pdu } from '../matrix/pdu.ts';
import type { StoredEvent } from './stored-event.ts';

/** Longest time that an event may be sticky (MSC4354). */
export const stickyMsMax = 60 * 60 * 1000;

/** For how long an event is sticky, in milliseconds; null: it is not. */
export function stickyMsOf({ msc4354_sticky: sticky }: Pick<Pdu, 'msc4354_sticky'>): number | null {
  if (typeof sticky !== 'object' || sticky === null || Array.isArray(sticky)) return null;
  const { duration_ms: durationMs } = sticky;
  if (!Number.isSafeInteger(durationMs) || (durationMs as number) < 0) return null;
  return Math.min(durationMs as number, stickyMsMax);
}

/**
 * A sticky event says so at the beginning of the stored part of `unsigned`, from where readers have
 * it without the rest of the PDU; a redaction replaces that, and the event is no longer sticky.
 */
const mark = /^"msc4354_sticky":\{"duration_ms":(\d+)\},?/;

/** The stored part of `unsigned`, marked where the event is sticky. */
export function withStickyMark(pdu: Pdu, unsigned: string | null): string | null {
  const stickyMs = pdu.msc4354_sticky === undefined ? null : stickyMsOf(pdu);
  if (stickyMs === null) return unsigned;
  const rest = unsigned === null ? '' : `,${unsigned}`;
  return `"msc4354_sticky":{"duration_ms":${stickyMs}}${rest}`;
}

/** For how long an event is sticky, and the rest of its `unsigned`; null: it is not sticky. */
export function stickyPart({
  unsigned,
}: Pick<StoredEvent, 'unsigned'>): { stickyMs: number; rest: string } | null {
  const found = unsigned?.startsWith('"msc4354_sticky"') ? mark.exec(unsigned) : null;
  return found && { stickyMs: Number(found[1]), rest: unsigned!.slice(found[0].length) };
}
