import type { Clock } from '../kernel/clock.ts';
import type { Jobs } from './jobs.ts';
import type { HistoryWish } from './purge.ts';
import type { JobStore } from './store/jobs.ts';

/** Deletes what is too old in rooms whose lifetime is within the bounds. Milliseconds. */
export interface PurgeJob {
  everyMs: number;
  /** Exclusive; null: none. */
  aboveMs: number | null;
  /** Inclusive; null: none. */
  uptoMs: number | null;
}

/** [retention] */
export interface RetentionConfig {
  /** Of rooms without a policy; null: for ever. */
  defaultMs: number | null;
  allowedMinMs: number | null;
  allowedMaxMs: number | null;
  purgeJobs: readonly PurgeJob[];
}

/** Rooms that are looked up at a time. */
const roomsAtOnce = 500;

/** Begins the purge jobs of retention policies when it is time. Called every minute or so. */
export function createRetentionSweep(needs: {
  config: RetentionConfig | null;
  store: JobStore;
  jobs: Pick<Jobs, 'draft' | 'expectNow'>;
  clock: Clock;
}): () => Promise<void> {
  const { config, store, jobs, clock } = needs;

  async function begin(job: PurgeJob, { defaultMs, allowedMinMs, allowedMaxMs }: RetentionConfig) {
    const nowTs = clock.now();
    for (let after = 0; ;) {
      // oxlint-disable-next-line no-await-in-loop -- each page goes on where the one before ended
      const rooms = await store.expired(
        ...([job.aboveMs, job.uptoMs, defaultMs, allowedMinMs, allowedMaxMs, nowTs] as const),
        after,
        roomsAtOnce,
      );
      const drafts = rooms.map(({ roomId, beforeTs }) => {
        const wish: HistoryWish = { beforeTs };
        return { ...jobs.draft(roomId), roomId, params: JSON.stringify(wish) };
      });
      // oxlint-disable-next-line no-await-in-loop
      await store.addExpired(drafts, nowTs);
      jobs.expectNow(drafts.map(({ shard }) => shard));
      if (rooms.length < roomsAtOnce) return;
      after = rooms.at(-1)!.roomNid;
    }
  }

  return async () => {
    for (const job of config?.purgeJobs ?? []) {
      const name = `${job.aboveMs ?? ''}-${job.uptoMs ?? ''}`;
      const now = clock.now();
      // oxlint-disable-next-line no-await-in-loop -- a few
      if (await store.claimRun(name, now, now - job.everyMs)) await begin(job, config!);
    }
  };
}
