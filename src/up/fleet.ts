import { rm } from 'node:fs/promises';
import type { DestinationStream } from 'pino';
import type { AppName } from '../config/workers.ts';
import type { Log } from '../kernel/log.ts';
import { socketsOf, writeWorkerFile, type WorkerSockets } from './worker-files.ts';
import { WorkerProcess } from './worker-process.ts';

/** A place for a process: it keeps its name when the process is replaced. */
export interface Slot {
  name: string;
  app: AppName;
  sockets: WorkerSockets;
  process: WorkerProcess;
  /** It answers requests. */
  isReady: boolean;
  /** It gets no new requests. */
  isDraining: boolean;
  /** Starts, also those after it died. */
  starts: number;
}

export interface FleetNeeds {
  folder: string;
  /** Configuration files before the process's own. */
  configPaths: readonly string[];
  log: Log;
  /** Takes the lines of their logs; null: they go where this process's go. */
  workerLog: DestinationStream | null;
  /** Processes have come, gone, or begun to drain. */
  changed(): void;
}

/** Pause before a process that died is started again; doubles while it keeps dying. */
const restartMsMin = 100;
const restartMsMax = 5_000;
/** A process that has run for so long starts again at once. */
const steadyMs = 30_000;
/** So long a process that drains still answers what was on its way to it. */
const lingerMs = 200;

const shortNames: Partial<Record<AppName, string>> = { homeserver: 'main' };

/** The processes of a set. */
export class Fleet {
  readonly #needs: FleetNeeds;
  readonly #slots = new Map<string, Slot>();
  #generation = 0;
  #isStopping = false;

  constructor(needs: FleetNeeds) {
    this.#needs = needs;
  }

  slots(): Slot[] {
    return [...this.#slots.values()];
  }

  #nameOf(app: AppName, index: number): string {
    return shortNames[app] && index === 1 ? shortNames[app] : `${shortNames[app] ?? app}${index}`;
  }

  async #launch(name: string, app: AppName): Promise<Slot> {
    const { folder, configPaths, log, workerLog } = this.#needs;
    const sockets = socketsOf(folder, name, ++this.#generation);
    const path = await writeWorkerFile(folder, { name, app, sockets });
    const startedMs = performance.now();
    const slot: Slot = {
      name,
      app,
      sockets,
      isReady: false,
      isDraining: false,
      starts: 1,
      process: new WorkerProcess({
        name,
        configPaths: [...configPaths, path],
        log: workerLog,
        onExit: (code, signal) => {
          if (this.#isStopping || this.#slots.get(name) !== slot) return;
          log.warn({ worker: name, code, signal }, 'a worker ended; starting it again');
          const isSteady = performance.now() - startedMs > steadyMs;
          this.#relaunch(slot, isSteady ? 1 : slot.starts + 1);
        },
      }),
    };
    return slot;
  }

  #relaunch(old: Slot, starts: number): void {
    old.isReady = false;
    this.#needs.changed();
    const waitMs = Math.min(restartMsMin * 2 ** (starts - 2), restartMsMax);
    setTimeout(() => {
      if (this.#isStopping || this.#slots.get(old.name) !== old) return;
      this.#start(old.name, old.app, starts).catch((error: unknown) => {
        if (this.#isStopping) return;
        this.#needs.log.error({ err: error, worker: old.name }, 'a worker could not be started');
      });
      void this.#clean(old);
    }, waitMs);
  }

  async #clean({ sockets }: Slot): Promise<void> {
    await Promise.all([sockets.http, sockets.calls].map((path) => rm(path, { force: true })));
  }

  async #start(name: string, app: AppName, starts = 1): Promise<Slot> {
    const slot = await this.#launch(name, app);
    slot.starts = starts;
    this.#slots.set(name, slot);
    await slot.process.ready;
    slot.isReady = true;
    this.#needs.changed();
    return slot;
  }

  async #retire(slot: Slot): Promise<void> {
    slot.isDraining = true;
    this.#needs.changed();
    await new Promise((resolve) => setTimeout(resolve, lingerMs));
    await slot.process.stop();
    if (this.#slots.get(slot.name) === slot) this.#slots.delete(slot.name);
    this.#needs.changed();
    await this.#clean(slot);
  }

  /** Brings each app to its count; apps that are not named stay. Resolves when all are ready. */
  async scale(counts: ReadonlyMap<AppName, number>): Promise<void> {
    const changes: Promise<unknown>[] = [];
    for (const [app, count] of counts) {
      const names = Array.from({ length: count }, (_, i) => this.#nameOf(app, i + 1));
      for (const name of names) {
        const slot = this.#slots.get(name);
        if (!slot || slot.isDraining) changes.push(this.#start(name, app));
      }
      for (const slot of this.slots()) {
        if (slot.app === app && !names.includes(slot.name)) changes.push(this.#retire(slot));
      }
    }
    const failed = (await Promise.allSettled(changes)).find((one) => one.status === 'rejected');
    if (failed) throw failed.reason;
  }

  /** Replaces every process by a new one, one after the other, each before the old one goes. */
  async roll(): Promise<void> {
    for (const old of this.slots()) {
      if (old.isDraining) continue;
      // oxlint-disable-next-line no-await-in-loop
      const next = await this.#launch(old.name, old.app);
      try {
        // oxlint-disable-next-line no-await-in-loop
        await next.process.ready;
      } catch (error) {
        // The old one goes on.
        // oxlint-disable-next-line no-await-in-loop
        await this.#clean(next);
        throw error;
      }
      next.isReady = true;
      this.#slots.set(old.name, next);
      this.#needs.changed();
      // oxlint-disable-next-line no-await-in-loop
      await this.#retire(old);
    }
  }

  /** Stops all: first those that take requests from the others, the main process last. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.slots().map((slot) => slot.process.stop()));
  }
}
