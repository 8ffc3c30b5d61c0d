/**
 * A terminal's Ctrl-C reaches a process by the terminal and once more by the npm that started it.
 * Signals this soon after the first are the same wish.
 */
const echoMs = 500;

/** The first signal stops, a later one aborts. `now`: milliseconds of a clock that never goes back. */
export function stopOnSignals(now: () => number, stop: () => void, abort: () => void): () => void {
  let stoppedAt: number | null = null;
  return () => {
    if (stoppedAt === null) {
      stoppedAt = now();
      stop();
    } else if (now() - stoppedAt > echoMs) abort();
  };
}
