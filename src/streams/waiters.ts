/** How long anybody waits for a position; what is later is told as it is. */
const waitMsMax = 2_000;
/** Who may wait at once; more do not wait. */
const waitersMax = 50_000;

interface Waiter {
  pos: number;
  resolve(): void;
  timer: NodeJS.Timeout;
}

/** Those who wait until a position has been reached. */
export interface Waiters {
  wait(pos: number): Promise<void>;
  reached(position: number): void;
}

export function createWaiters(): Waiters {
  const waiting = new Set<Waiter>();

  return {
    wait(pos) {
      if (waiting.size >= waitersMax) return Promise.resolve();
      return new Promise((resolve) => {
        const timer = setTimeout(() => {
          waiting.delete(waiter);
          resolve();
        }, waitMsMax);
        const waiter: Waiter = { pos, resolve, timer };
        waiting.add(waiter);
      });
    },
    reached(position) {
      if (waiting.size === 0) return;
      for (const waiter of waiting) {
        if (waiter.pos > position) continue;
        waiting.delete(waiter);
        clearTimeout(waiter.timer);
        waiter.resolve();
      }
    },
  };
}
