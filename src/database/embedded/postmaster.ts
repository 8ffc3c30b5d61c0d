import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { readPostmaster, stopLeftover, type SupervisorLog } from './leftover.ts';
import type { Runner } from './run-as.ts';

const readyPollMs = 5;
/** Replaying the log after a crash takes minutes at worst. */
const readyWaitMs = 300_000;
const stopWaitMs = 20_000;
/** Pauses before it is started again: soon, but not so that one that cannot start uses up a CPU. */
const restartMsMin = 50;
const restartMsMax = 5_000;
/** Having run for this long it counts as sound again. */
const soundAfterMs = 30_000;
const complaintLengthMax = 2_000;
/** After a kill -9 the children of the last one hold the shared memory for a moment. */
const firstStartAttempts = 8;
const isPassing = (complaint: string) => /shared memory block|lock file/.test(complaint);

/** One run of the server program. */
interface Run {
  child: ChildProcess;
  startedAt: number;
  complaint: string;
  hasEnded: boolean;
}

export interface PostmasterOptions {
  runner: Runner;
  native: string;
  data: string;
  log: SupervisorLog;
}

/** The server program, started again whenever it ends until it is to stop. */
export class Postmaster {
  readonly #options: PostmasterOptions;
  #run: Run | null = null;
  #isReady = false;
  readonly #closing = new AbortController();
  /** Where a program cannot be told of its parent's death, this at least. */
  readonly #endWithProcess = () => void this.#run?.child.kill('SIGINT');
  #restartMs = restartMsMin;
  #restarting: Promise<void> = Promise.resolve();

  constructor(options: PostmasterOptions) {
    this.#options = options;
    process.once('exit', this.#endWithProcess);
  }

  /** Process id of the run now. */
  get pid(): number {
    return this.#run?.child.pid ?? 0;
  }

  /** Resolves when it takes connections. Throws an Error that says why it does not start. */
  async start(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const run = this.#launch();
      // oxlint-disable-next-line no-await-in-loop
      if (await this.#becomesReady(run)) break;
      if (attempt === firstStartAttempts || !isPassing(run.complaint)) {
        this.#closing.abort();
        run.child.kill('SIGKILL');
        throw new Error(`PostgreSQL does not start: ${run.complaint.trim() || 'no answer'}`);
      }
      // oxlint-disable-next-line no-await-in-loop
      await pause(restartMsMin * attempt);
    }
    this.#isReady = true;
    if (this.#run?.hasEnded) this.#scheduleRestart();
  }

  /** Stops it; transactions under way are rolled back. */
  async stop(): Promise<void> {
    this.#closing.abort();
    await this.#restarting;
    const run = this.#run;
    if (run && !run.hasEnded) await this.#end(run);
    process.off('exit', this.#endWithProcess);
  }

  async #end(run: Run): Promise<void> {
    const exit = once(run.child, 'exit');
    run.child.kill('SIGINT');
    const timer = setTimeout(() => run.child.kill('SIGQUIT'), stopWaitMs);
    await exit;
    clearTimeout(timer);
  }

  #launch(): Run {
    const { runner, native, data, log } = this.#options;
    const child = runner.spawn(join(native, 'bin', 'postgres'), ['-D', data], {
      stdio: ['ignore', 'ignore', 'pipe'],
      cwd: '/',
      endsWithParent: true,
      // In a session of its own: Ctrl-C in a terminal is for the server, which stops it in time.
      detached: true,
    });
    const run: Run = { child, startedAt: Date.now(), complaint: '', hasEnded: false };
    this.#run = run;
    child.stderr!.on('data', (text: Buffer) => {
      const line = String(text).trim();
      run.complaint = `${run.complaint}\n${line}`.slice(-complaintLengthMax);
      const isGrave = /\b(FATAL|PANIC)\b/.test(line);
      if (isGrave && this.#isReady && !this.#closing.signal.aborted)
        log.warn({ postgres: line }, 'PostgreSQL');
    });
    const ended = (facts: object) => {
      if (run.hasEnded) return;
      run.hasEnded = true;
      if (this.#closing.signal.aborted || !this.#isReady) return;
      log.warn(facts, 'PostgreSQL ended; starting it again');
      this.#scheduleRestart();
    };
    // The program could not be run at all; or a signal could not be sent to it.
    child.on('error', (error) => {
      run.complaint += error.message;
      if (child.pid === undefined) ended({ err: error });
    });
    child.once('exit', (code, signal) => ended({ code, signal }));
    return run;
  }

  async #becomesReady(run: Run): Promise<boolean> {
    for (let waitedMs = 0; waitedMs < readyWaitMs; waitedMs += readyPollMs) {
      if (run.hasEnded) return false;
      // oxlint-disable-next-line no-await-in-loop
      const postmaster = await readPostmaster(this.#options.data);
      if (postmaster?.isReady && postmaster.pid === run.child.pid) return true;
      // oxlint-disable-next-line no-await-in-loop
      await pause(readyPollMs);
    }
    return false;
  }

  #scheduleRestart(): void {
    const { startedAt, complaint } = this.#run!;
    const isSound = Date.now() - startedAt > soundAfterMs;
    const delayMs = isSound || isPassing(complaint) ? restartMsMin : this.#restartMs;
    this.#restartMs = Math.min(delayMs * 2, restartMsMax);
    this.#restarting = this.#restart(delayMs);
  }

  async #restart(delayMs: number): Promise<void> {
    const { data, log } = this.#options;
    try {
      await pause(delayMs, undefined, { signal: this.#closing.signal });
    } catch {
      return;
    }
    try {
      await stopLeftover(data, log);
      if (!this.#closing.signal.aborted) this.#launch();
    } catch (error) {
      log.warn({ err: error }, 'PostgreSQL could not be started again; trying once more');
      this.#scheduleRestart();
    }
  }
}
