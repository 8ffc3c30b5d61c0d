import { RoleUnavailable } from '../cluster/role.ts';
import type { Database } from '../database/database.ts';
import type { RunningTask } from '../tasks/module.ts';
import { followedPos, noteAll } from './store/regenerate.ts';

/** As background updates show it; positions are what is counted. */
interface Progress {
  items: number;
  durationMs: number;
}

/**
 * Makes the directory anew from all state. `catchUp`: resolves when everything is in it, or rejects
 * with RoleUnavailable when that takes too long to wait for.
 */
export async function regenerate(
  { database, catchUp }: { database: Database; catchUp(): Promise<void> },
  task: RunningTask,
): Promise<void> {
  const before = task.progress as Progress | null;
  if (before === null) {
    await database.transaction(noteAll);
    await task.save({ items: 0, durationMs: 0 });
  }
  const startedMs = performance.now() - (before?.durationMs ?? 0);
  for (let isBehind = true; isBehind;) {
    // oxlint-disable-next-line no-await-in-loop
    isBehind = await catchUp().then(
      () => false,
      (error: unknown) => {
        if (error instanceof RoleUnavailable) return true;
        throw error;
      },
    );
    const durationMs = Math.round(performance.now() - startedMs);
    // oxlint-disable-next-line no-await-in-loop
    await task.save({ items: await followedPos(database), durationMs });
  }
}
