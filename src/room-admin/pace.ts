import { setTimeout as pause } from 'node:timers/promises';

/** Least time between two steps of work that can wait. */
const pauseMsMin = 5;
const pauseMsMax = 2_000;

/**
 * Does a step of long work, and leaves the database to others for as long as it took: no more than half
 * of a connection is used.
 */
export async function paced<T>(step: () => Promise<T>): Promise<T> {
  const beganMs = performance.now();
  const result = await step();
  const tookMs = performance.now() - beganMs;
  await pause(Math.min(Math.max(tookMs, pauseMsMin), pauseMsMax));
  return result;
}
