import { readFile } from 'node:fs/promises';
import type { Config } from '../config/config.ts';
import { lastStreamPosition } from '../database/positions.ts';
import { createRateLimiter } from '../http/rate-limiter.ts';
import { createHttpMetrics } from '../http/http-metrics.ts';
import { createHttpServer } from '../http/server.ts';
import { systemClock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import { Metrics } from '../kernel/metrics.ts';
import { parseSigningKey } from '../matrix/signing.ts';
import { createLocalRoles } from '../cluster/role.ts';
import { createLocalBus } from '../streams/bus.ts';
import { createCommitter } from '../streams/committer.ts';
import { writeSigningKey } from '../config/signing-key-file.ts';
import { loadAppserviceRegistrations } from '../appservices/registrations.ts';
import { assembleDomains } from './domains.ts';
import { listenerOptions } from './listeners.ts';
import { openStorage, type Progress } from './open-storage.ts';

export interface RunningServer {
  urls: string[];
  /** Nothing was there before this start. */
  isFirstStart: boolean;
  /** Stops accepting, finishes what is under way, writes what waits. */
  close(): Promise<void>;
}

/** How long requests may go on after the server was told to stop. */
const closeGraceMs = 10_000;
const tidyIntervalMs = 60_000;

/** The whole server in one process. */
export async function startServer(
  config: Config,
  log: Log,
  progress: Progress = () => undefined,
): Promise<RunningServer> {
  await writeSigningKey(config.signingKeyPath);
  const signingKey = parseSigningKey(await readFile(config.signingKeyPath, 'utf8'));
  const listeners = await listenerOptions(config);
  const appservices = await loadAppserviceRegistrations(config.appserviceFiles, config.serverName);
  const storage = await openStorage(config, log, progress);
  try {
    const { database } = storage;
    const clock = systemClock;
    const bus = createLocalBus({
      position: await lastStreamPosition(database),
      ephemeralPosition: clock.now(),
      onReaderError: (error) => log.error({ err: error }, 'bug: a reader of streams failed'),
    });
    const committer = createCommitter(database, bus);
    const metrics = new Metrics();
    const limiter = createRateLimiter(config.rateLimits, clock);
    const domains = assembleDomains({
      config,
      log,
      database,
      clock,
      bus,
      roles: createLocalRoles(),
      committer,
      metrics,
      limiter,
      signingKey,
      appservices,
    });
    const http = createHttpServer(listeners, domains.endpoints, {
      authenticate: domains.authenticate,
      limiter,
      log,
      metrics: createHttpMetrics(metrics),
    });
    const urls = await http.listen();
    const tidying = setInterval(() => {
      domains.tidy().catch((error: unknown) => log.warn({ err: error }, 'tidying up failed'));
    }, tidyIntervalMs);
    return {
      urls,
      isFirstStart: storage.isNew,
      async close() {
        clearInterval(tidying);
        await http.close(closeGraceMs);
        await committer.drain();
        await domains.close();
        await storage.close();
      },
    };
  } catch (error) {
    await storage.close();
    throw error;
  }
}
