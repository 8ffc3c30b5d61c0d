import { setTimeout as pause } from 'node:timers/promises';
import { defineRole, shardOf, type Roles } from '../cluster/role.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import { MatrixError } from '../kernel/errors.ts';
import { randomLetters } from '../kernel/random.ts';
import type { Bus } from '../streams/bus.ts';
import { createJobRunner, type Work } from './runner.ts';
import type { JobKind, JobRow, JobStore } from './store/jobs.ts';
import { roomJobStream } from './streams.ts';

/** Work on rooms that takes long, by room. */
export const roomJobRole = defineRole('room_jobs', 8);

const jobIdLetters = 16;
/** Whoever waits for a job looks this often, when nothing tells of it. */
const lookMs = 1_000;

export interface Jobs {
  /** Gives the id of the job. Throws M_UNKNOWN while the room is being taken away. */
  add(kind: JobKind, roomId: string, params: object): Promise<string>;
  /** The same for a later time; nothing happens when the room is to be taken away already. */
  addLater(kind: JobKind, roomId: string, dueTs: number): Promise<void>;
  /** Resolves when the job has ended, or is known no more. */
  ended(jobId: string, isGone: () => boolean): Promise<JobRow | null>;
  /** What has a job's number, and the shard that does it. */
  draft(roomId: string): { jobId: string; shard: number };
  /** Jobs were added by other ways. */
  expectNow(shards: readonly number[]): void;
  stop(): Promise<void>;
}

export function createJobs(needs: {
  store: JobStore;
  work: Work;
  roles: Roles;
  bus: Bus;
  clock: Clock;
  log: Log;
}): Jobs {
  const { store, work, roles, bus, clock, log } = needs;
  const waiting = new Map<string, Set<() => void>>();

  function tell(jobId: string, shard: number, dueTs: number | null): void {
    const pos = bus.nextEphemeral();
    bus.publish([{ stream: roomJobStream, pos, row: { jobId, shard, dueTs } }]);
  }

  const runner = createJobRunner({
    store,
    work,
    clock,
    log,
    ended: ({ jobId, shard }) => tell(jobId, shard, null),
  });
  bus.subscribe(roomJobStream, (rows) => {
    for (const { row } of rows) {
      if (row.dueTs !== null) runner.expect(row.shard, row.dueTs);
      else for (const wake of waiting.get(row.jobId) ?? []) wake();
    }
  });
  // What told of a job that is due soon may be among what was missed.
  bus.onMissed(() => runner.look());
  roles.serve(roomJobRole, {
    methods: {},
    taken: (shards) => runner.take(shards),
    released: (shards) => runner.release(shards),
  });

  /** Resolves when something is told of the job, or after a while. */
  async function news(jobId: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wakes = waiting.get(jobId) ?? new Set();
    waiting.set(jobId, wakes.add(resolve));
    const late = new AbortController();
    try {
      await Promise.race([promise, pause(lookMs, undefined, late).catch(() => undefined)]);
    } finally {
      late.abort();
      wakes.delete(resolve);
      if (wakes.size === 0) waiting.delete(jobId);
    }
  }

  const draft = (roomId: string) => ({
    jobId: randomLetters(jobIdLetters),
    shard: shardOf(roomJobRole, roomId),
  });

  /** Null: the room is being taken away already. */
  async function put(
    kind: JobKind,
    roomId: string,
    params: object,
    at: { nowTs: number; dueTs: number },
  ): Promise<string | null> {
    const { jobId, shard } = draft(roomId);
    const job = { jobId, kind, roomId, shard, params: JSON.stringify(params) };
    if (!(await store.add(job, at))) return null;
    tell(jobId, shard, at.dueTs);
    return jobId;
  }

  return {
    draft,
    async add(kind, roomId, params) {
      const nowTs = clock.now();
      const jobId = await put(kind, roomId, params, { nowTs, dueTs: nowTs });
      if (jobId !== null) return jobId;
      throw new MatrixError('M_UNKNOWN', `Purge already in progress for ${roomId}`);
    },
    async addLater(kind, roomId, dueTs) {
      await put(kind, roomId, {}, { nowTs: clock.now(), dueTs });
    },
    async ended(jobId, isGone) {
      for (;;) {
        const told = news(jobId);
        // oxlint-disable-next-line no-await-in-loop
        const job = await store.one(jobId);
        const isOver = job === null || job.status === 'complete' || job.status === 'failed';
        if (isOver || isGone()) return job;
        // oxlint-disable-next-line no-await-in-loop
        await told;
      }
    },
    expectNow(shards) {
      for (const shard of new Set(shards)) tell('', shard, clock.now());
    },
    stop: () => runner.stop(),
  };
}
