import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { MediaConfig } from './config.ts';
import type { Deletion } from './deletion.ts';
import type { Previews } from './previews/previews.ts';
import type { TemporaryFiles } from './storage/temporary-files.ts';

/** Between two looks for what is over. */
const sweepMs = 10 * 60 * 1000;
/** How long images of previews are kept: longer than the previews themselves. */
const previewImagesKeptMs = 3 * 24 * 60 * 60 * 1000;

/** Deletes what is over. Called every minute or so; does something now and then, at once only once. */
export function createSweep(needs: {
  config: Pick<MediaConfig, 'keptMs'>;
  clock: Clock;
  deletion: Deletion;
  temporary: TemporaryFiles;
  log: Log;
  previews: Previews | null;
}): () => Promise<void> {
  const { config, clock, deletion, temporary, log, previews } = needs;
  let sweptTs = 0;
  let isSweeping = false;

  async function sweep(now: number): Promise<void> {
    await deletion.deleteExpired(now, now - previewImagesKeptMs);
    for (const isLocal of [true, false]) {
      const keptMs = isLocal ? config.keptMs.local : config.keptMs.remote;
      if (keptMs === null) continue;
      const which = { isLocal, beforeTs: now - keptMs, bytesMin: 0, alsoMarked: false };
      // oxlint-disable-next-line no-await-in-loop -- two of them
      await deletion.deleteOld(which);
    }
    await previews?.sweep(now);
    await temporary.sweep(now);
  }

  return async () => {
    const now = clock.now();
    if (isSweeping || now - sweptTs < sweepMs) return;
    isSweeping = true;
    try {
      await sweep(now);
      sweptTs = now;
    } catch (error) {
      log.warn({ err: error }, 'could not delete media that are over; trying again');
    } finally {
      isSweeping = false;
    }
  };
}
