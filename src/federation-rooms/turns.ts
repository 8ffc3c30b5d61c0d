import { MatrixError } from '../kernel/errors.ts';

/** Requests of one server that may wait for their turn. */
const waitingMax = 20;
const retryAfterMs = 1_000;

/** Work of which each server has one piece done at a time. */
export interface Turns {
  /** Gives the end of the turn, to be called once. Throws M_LIMIT_EXCEEDED when too many wait. */
  take(serverName: string): Promise<() => void>;
}

export function createTurns(): Turns {
  const queues = new Map<string, (() => void)[]>();

  function end(serverName: string): void {
    const next = queues.get(serverName)!.shift();
    if (next) next();
    else queues.delete(serverName);
  }

  return {
    async take(serverName) {
      const queue = queues.get(serverName);
      if (!queue) queues.set(serverName, []);
      else if (queue.length >= waitingMax) {
        throw new MatrixError(
          'M_LIMIT_EXCEEDED',
          'Too many requests for the state of rooms at once',
          {
            extra: { retry_after_ms: retryAfterMs },
          },
        );
      } else await new Promise<void>((resolve) => queue.push(resolve));
      let isOver = false;
      return () => {
        if (!isOver) end(serverName);
        isOver = true;
      };
    },
  };
}
