/** It was not done in time. */
export class TooLate extends Error {}

/** Lets a few do something at once while others wait in a line that is bounded, as is the waiting. */
export interface Turns {
  /**
   * Does `work` when it is its turn. Rejects when too many wait already, and with `TooLate` when the
   * turn does not come, or the work is not done, in time; what is late keeps no turn.
   */
  take<T>(work: () => Promise<T>): Promise<T>;
}

export interface TurnLimits {
  atOnce: number;
  waitingMax: number;
  /** For the waiting and for the work, each; in milliseconds. */
  msMax: number;
}

export function createTurns({ atOnce, waitingMax, msMax }: TurnLimits): Turns {
  const waiting = new Set<() => void>();
  let running = 0;

  function done(): void {
    running--;
    for (const begin of waiting) {
      waiting.delete(begin);
      begin();
      return;
    }
  }

  return {
    take<T>(work: () => Promise<T>) {
      return new Promise<T>((resolve, reject) => {
        let isRunning = false;
        let timer = setTimeout(late, msMax);
        function end(): void {
          clearTimeout(timer);
          waiting.delete(begin);
          if (isRunning) done();
          isRunning = false;
        }
        function late(): void {
          end();
          reject(new TooLate(`not done within ${msMax} ms`));
        }
        function begin(): void {
          clearTimeout(timer);
          timer = setTimeout(late, msMax);
          running++;
          isRunning = true;
          work().then(resolve, reject).finally(end);
        }
        if (running < atOnce) begin();
        else if (waiting.size < waitingMax) waiting.add(begin);
        else {
          end();
          reject(new Error('too many wait already'));
        }
      });
    },
  };
}
