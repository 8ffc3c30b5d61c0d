import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/**
 * Has a process, and those it starts from now on, scheduled as work that comes in batches: when it is
 * woken it does not interrupt another one that runs (sched(7), SCHED_BATCH). The processes of a set wake
 * each other with every request; with fewer interruptions their caches stay warm. Resolves with false
 * where that is not possible: the system is not Linux, or has no `chrt` (util-linux).
 */
export async function scheduleAsBatch(pid: number): Promise<boolean> {
  try {
    await promisify(execFile)('chrt', ['--batch', '--all-tasks', '--pid', '0', String(pid)]);
    return true;
  } catch {
    return false;
  }
}
