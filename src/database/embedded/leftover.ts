import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** What the supervisor tells; a part of the server's log. */
export interface SupervisorLog {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
}

/** How long each way of stopping may take, gentlest first; all leave committed data intact. */
const stops: readonly [NodeJS.Signals, number][] = [
  ['SIGINT', 20_000],
  ['SIGQUIT', 10_000],
  ['SIGKILL', 5_000],
];
const pollMs = 10;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Whether the process has ended before the time is over. */
async function hasEnded(pid: number, waitMs: number): Promise<boolean> {
  for (let waitedMs = 0; isAlive(pid); waitedMs += pollMs) {
    if (waitedMs >= waitMs) return false;
    // oxlint-disable-next-line no-await-in-loop
    await pause(pollMs);
  }
  return true;
}

/** What `postmaster.pid` says; null when there is none. */
export async function readPostmaster(
  data: string,
): Promise<{ pid: number; isReady: boolean } | null> {
  const text = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    },
  );
  if (text === null) return null;
  const lines = text.split('\n');
  const statusLine = 7;
  return { pid: Number(lines[0]), isReady: lines[statusLine]?.trim() === 'ready' };
}

/**
 * Ends a server that outlived the process that started it, so that the next one can use the folder.
 * Throws an Error when it cannot be ended.
 */
export async function stopLeftover(data: string, log: SupervisorLog): Promise<void> {
  const postmaster = await readPostmaster(data);
  const pid = postmaster?.pid ?? 0;
  if (!(pid > 0) || !isAlive(pid)) return;
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => null);
  if (command !== null && !command.split('\0').includes(data)) {
    // The number belongs to another program now, after a restart of the machine.
    await rm(join(data, 'postmaster.pid'), { force: true });
    return;
  }
  log.warn({ pid }, 'stopping the PostgreSQL that an earlier run has left behind');
  for (const [signal, waitMs] of stops) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
    // oxlint-disable-next-line no-await-in-loop
    if (await hasEnded(pid, waitMs)) return;
  }
  throw new Error(`the PostgreSQL with process id ${pid}, which uses ${data}, does not end`);
}
