import { rm, writeFile } from 'node:fs/promises';
import type { Log } from '../kernel/log.ts';
import { stopOnSignals } from './stop-signals.ts';

/** What runs until somebody ends it. */
export interface Running {
  log: Log;
  /** Lets it finish what it does. A start that is under way ends first, so that nothing is left. */
  close(): Promise<void>;
  /** For SIGHUP, but of a terminal that was closed: that one ends it. */
  reload(): void;
}

/** Ends the process by SIGTERM, SIGINT, or when the process that waits for it is gone. */
export function listenForEnd({ log, close, reload }: Running): { isStopping(): boolean } {
  let isStopping = false;
  const stop = async () => {
    isStopping = true;
    log.info('stopping; once more to stop at once');
    await close();
    // The code that was set by what ends the process from inside.
    process.exit();
  };
  const onSignal = stopOnSignals(
    () => performance.now(),
    () =>
      void stop().catch((error: unknown) => {
        log.error({ err: error }, 'stopping failed');
        process.exit(1);
      }),
    () => process.exit(1),
  );
  const hasTerminal = process.stdin.isTTY;
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  process.on('SIGHUP', () => (hasTerminal ? onSignal() : reload()));
  // Started by a process that waits for this one: it was killed.
  process.on('disconnect', onSignal);
  process.channel?.unref();
  // Whoever read the output may be gone.
  for (const output of [process.stdout, process.stderr]) output.on('error', () => undefined);
  return { isStopping: () => isStopping };
}

/** For long outputs: whoever reads them, such as `head`, may have read enough. */
export function endWithReader(): void {
  process.stdout.on('error', () => process.exit(0));
}

/** `pid_file`; null: there is none. */
export interface PidFile {
  write(): Promise<void>;
  remove(): Promise<void>;
}

export function pidFileAt(path: string | null): PidFile {
  return {
    async write() {
      if (path === null) return;
      await writeFile(path, `${process.pid}\n`).catch((error: Error) => {
        throw new Error(`the process id cannot be written: ${error.message}`, { cause: error });
      });
    },
    async remove() {
      if (path !== null) await rm(path, { force: true });
    },
  };
}

/** For processes that read their configuration at the start only. */
export const nothingToReload = (log: Log) => () =>
  log.info('nothing is read again: changes of the configuration take effect at the next start');
