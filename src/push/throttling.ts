import type { Throttle } from './store/mails.ts';

/** The first mail about a room is followed by a pause; the next by a long one. Synapse's steps. */
const throttleFactor = 144;
const throttleMsMax = 24 * 60 * 60 * 1000;
/** After so long a silence in a room the pauses begin anew. */
const silenceMs = 12 * 60 * 60 * 1000;

/** When a notification of a room may be mailed: not at once, and not soon after the last mail. */
export function mailDueTs(noticedTs: number, delayMs: number, throttle: Throttle | undefined) {
  const readyTs = throttle ? throttle.lastSentTs + throttle.throttleMs : 0;
  return Math.max(noticedTs + delayMs, readyTs);
}

/** The pause after a mail. `noticedTs`: of the newest notification in it. */
export function nextThrottle(
  roomNid: number,
  before: Throttle | undefined,
  { noticedTs, nowTs, delayMs }: { noticedTs: number; nowTs: number; delayMs: number },
): Throttle {
  const isAnew = !before || before.throttleMs === 0 || noticedTs - before.lastSentTs > silenceMs;
  const throttleMs = isAnew ? delayMs : Math.min(before.throttleMs * throttleFactor, throttleMsMax);
  return { roomNid, lastSentTs: nowTs, throttleMs };
}
