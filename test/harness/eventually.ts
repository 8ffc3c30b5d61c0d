import { setTimeout as pause } from 'node:timers/promises';

const pauseMs = 25;

/**
 * Repeats what may fail at first: processes of a worker set learn of each other's writes a moment
 * later. Gives the result of the first try that does not throw. `triesMax`: the pauses between tries
 * are 25 ms.
 */
export async function eventually<T>(attempt: () => Promise<T>, triesMax = 200): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      // oxlint-disable-next-line no-await-in-loop
      return await attempt();
    } catch (error) {
      if (tries === triesMax) throw error;
    }
    // oxlint-disable-next-line no-await-in-loop
    await pause(pauseMs);
  }
}
