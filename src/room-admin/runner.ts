import type { Clock } from '../kernel/clock.ts';
import { MatrixError } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import type { JobKind, JobRow, JobStore } from './store/jobs.ts';

/** Jobs of a process that run side by side. */
const runningMax = 3;
/** Looked at without being told: what told of it may have been lost. */
const lookMs = 30_000;
/** After a failure that may pass, and how often a job is begun again. */
const retryMs = 5_000;
const failuresMax = 10;

/** A job as those who do it see it. */
export interface Task {
  job: JobRow;
  /** Throws Interrupted when another process is to go on with it. Between any two steps. */
  check(): void;
  /** Writes down how far it is. */
  save(progress: object): Promise<void>;
}

export type Work = Readonly<Record<JobKind, (task: Task) => Promise<void>>>;

/** The work on a job stops here; it is not at its end. */
export class Interrupted extends Error {
  constructor() {
    super('another process goes on with the job');
    this.name = 'Interrupted';
  }
}

interface Running {
  shard: number;
  roomId: string;
  isStopped: boolean;
  done: Promise<void>;
}

/**
 * Does the jobs of the shards that are held here. A job that is broken off, in whatever way, is gone on
 * with by whoever holds its shard next: it bears that, and to be done by two for a moment.
 */
export interface JobRunner {
  take(shards: readonly number[]): void;
  release(shards: readonly number[]): Promise<void>;
  /** Something is due at that time. */
  expect(shard: number, dueTs: number): void;
  /** Something may be due at any time. */
  look(): void;
  stop(): Promise<void>;
}

export function createJobRunner(needs: {
  store: JobStore;
  work: Work;
  clock: Clock;
  log: Log;
  /** A job has ended. */
  ended(job: JobRow): void;
}): JobRunner {
  const { store, work, clock, log, ended } = needs;
  const held = new Set<number>();
  const running = new Map<string, Running>();
  const failures = new Map<string, number>();
  let timer: NodeJS.Timeout | null = null;
  let timerTs = Infinity;
  let looking: Promise<void> | null = null;
  let isStopped = false;

  async function end(job: JobRow, error: string | null): Promise<void> {
    failures.delete(job.jobId);
    await store.finish(job.jobId, error, clock.now());
    ended(job);
  }

  async function failed(job: JobRow, error: unknown): Promise<void> {
    const { jobId, roomId, kind } = job;
    const count = (failures.get(jobId) ?? 0) + 1;
    log.warn({ err: error, jobId, roomId, kind }, 'a job on a room failed');
    if (error instanceof MatrixError || count > failuresMax) {
      await end(job, error instanceof Error ? error.message : String(error));
      return;
    }
    failures.set(jobId, count);
    await store.postpone(jobId, clock.now() + retryMs);
  }

  async function run(job: JobRow, self: Running): Promise<void> {
    const { jobId } = job;
    const check = () => {
      if (self.isStopped || isStopped) throw new Interrupted();
    };
    try {
      await work[job.kind]({ job, check, save: (progress) => store.save(jobId, progress) });
      await end(job, null);
    } catch (error) {
      if (error instanceof Interrupted) return;
      await failed(job, error).catch((failure: unknown) => {
        log.warn({ err: failure, jobId }, 'the end of a job on a room could not be written down');
      });
    } finally {
      running.delete(jobId);
      lookAt(clock.now());
    }
  }

  function start(job: JobRow): void {
    const { jobId, roomId, shard } = job;
    const self: Running = { shard, roomId, isStopped: false, done: Promise.resolve() };
    running.set(jobId, self);
    self.done = run(job, self);
  }

  const runningRooms = () => [...running.values()].map(({ roomId }) => roomId);

  async function look(): Promise<void> {
    const free = runningMax - running.size;
    if (isStopped || held.size === 0 || free <= 0) return;
    const jobs = await store.takeDue([...held], clock.now(), runningRooms(), free);
    for (const job of jobs) if (held.has(job.shard)) start(job);
    if (jobs.length === free) return;
    const nextTs = await store.nextTs([...held], runningRooms());
    lookAt(Math.min(nextTs ?? Infinity, clock.now() + lookMs));
  }

  function go(): void {
    timer = null;
    timerTs = Infinity;
    looking = (looking ?? Promise.resolve()).then(look).catch((error: unknown) => {
      log.warn({ err: error }, 'jobs on rooms could not be looked for');
      lookAt(clock.now() + retryMs);
    });
  }

  function lookAt(ts: number): void {
    if (isStopped || held.size === 0 || ts >= timerTs) return;
    if (timer) clearTimeout(timer);
    timerTs = ts;
    timer = setTimeout(go, Math.max(0, ts - clock.now()));
    timer.unref();
  }

  return {
    take(shards) {
      for (const shard of shards) held.add(shard);
      lookAt(clock.now());
    },
    async release(shards) {
      const leaving = new Set(shards);
      for (const shard of shards) held.delete(shard);
      await looking;
      const own = [...running.values()].filter(({ shard }) => leaving.has(shard));
      for (const one of own) one.isStopped = true;
      await Promise.all(own.map(({ done }) => done));
    },
    expect(shard, dueTs) {
      if (held.has(shard)) lookAt(dueTs);
    },
    look: () => lookAt(clock.now()),
    async stop() {
      isStopped = true;
      if (timer) clearTimeout(timer);
      await looking;
      await Promise.all([...running.values()].map(({ done }) => done));
    },
  };
}
