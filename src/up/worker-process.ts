import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { DestinationStream } from 'pino';

const program = join(import.meta.dirname, '..', 'main.ts');

/** How long a process may take to stop before it is killed. */
const stopMsMax = 20_000;

export interface WorkerProcessOptions {
  name: string;
  configPaths: readonly string[];
  /** Takes the lines of its log; null: they go where this process's go. */
  log: DestinationStream | null;
  /** The process has ended by itself. */
  onExit(code: number | null, signal: string | null): void;
}

/** One process of the server, run as a child. */
export class WorkerProcess {
  readonly name: string;
  /** Resolves when it answers requests; rejects when it ends before that. */
  readonly ready: Promise<void>;
  #isStopping = false;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  constructor({ name, configPaths, log, onExit }: WorkerProcessOptions) {
    this.name = name;
    const paths = configPaths.flatMap((path) => ['--config-path', path]);
    const child = spawn(process.execPath, [...process.execArgv, program, 'serve', ...paths], {
      // By the channel it notices when this process is killed.
      stdio: ['ignore', 'pipe', log ? 'pipe' : 'inherit', 'ipc'],
      detached: true,
    });
    this.#child = child;
    if (log) createInterface({ input: child.stderr! }).on('line', (line) => log.write(`${line}\n`));
    this.#ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        resolve();
        if (!this.#isStopping) onExit(code, signal);
      });
    });
    this.ready = new Promise((resolve, reject) => {
      let output = '';
      child.stdout!.on('data', (chunk: Buffer) => {
        output += String(chunk);
        const lines = output.split('\n');
        output = lines.pop()!;
        if (lines.some((line) => line.startsWith('ready'))) resolve();
      });
      child.once('exit', (code) =>
        reject(new Error(`${name} ended with ${code} while it started`)),
      );
      child.once('error', reject);
    });
    this.ready.catch(() => undefined);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Lets it finish what it does; resolves when it has ended. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), stopMsMax);
    await this.#ended;
    clearTimeout(timer);
  }
}
