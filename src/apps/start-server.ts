import { loadAppserviceRegistrations } from '../appservices/registration-files.ts';
import type { Config } from '../config/config.ts';
import { readSigningKey } from '../config/signing-key-file.ts';
import { createHttpMetrics } from '../http/http-metrics.ts';
import { createRateLimiter } from '../http/rate-limiter.ts';
import { createServerLimiter } from '../http/server-limiter.ts';
import { shareLimits } from './shared-limits.ts';
import { createHttpServer } from '../http/server.ts';
import { systemClock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import { Metrics } from '../kernel/metrics.ts';
import { Started } from '../kernel/started.ts';
import { createLinkServer } from '../link/link-server.ts';
import { createCommitter } from '../streams/committer.ts';
import { assembleDomains } from './domains.ts';
import { checkDataFolder } from './data-folder.ts';
import { followRegistrations, type RegistrationSource } from './follow-registrations.ts';
import { listenerOptions } from './listeners.ts';
import { frontListenerOf, openConnections } from './connections.ts';
import { openStorage, type Progress } from './open-storage.ts';
import { createPassOn, passedOn } from './pass-on.ts';
import { appNameOf, serves } from './roles.ts';

export interface RunningServer {
  urls: string[];
  /** Nothing was there before this start. */
  isFirstStart: boolean;
  /** Reads again what may change while the server runs: registrations of application services. */
  reload(): Promise<void>;
  /** Stops accepting, finishes what is under way, writes what waits. */
  close(): Promise<void>;
}

/** How long requests may go on after the server was told to stop. */
const closeGraceMs = 10_000;
const tidyIntervalMs = 60_000;

/** Routers ask for what they would ask for at the listener that is for them. */
const linkListener = (config: Config) => ({
  resources: frontListenerOf(config)?.resources ?? [],
  isForwarded: true,
});

/** One process of a server: all of it, or a worker among others, as the configuration says. */
export async function startServer(
  config: Config,
  log: Log,
  progress: Progress = () => undefined,
  registrationSource: RegistrationSource = {
    configPaths: [],
    files: async () => config.appserviceFiles,
  },
): Promise<RunningServer> {
  await checkDataFolder(config);
  const signingKey = await readSigningKey(config);
  const { notaryKeyPath } = config.serverKeys;
  const notaryKey =
    notaryKeyPath === null
      ? signingKey
      : await readSigningKey({ signingKey: null, signingKeyPath: notaryKeyPath });
  const listeners = await listenerOptions(config);
  const appservices = await loadAppserviceRegistrations(config.appserviceFiles, config.serverName);
  // What a start that fails has begun.
  const started = new Started();
  try {
    const storage = await openStorage(config, log, progress);
    started.add(storage.close);
    const { database } = storage;
    const clock = systemClock;
    const metrics = new Metrics();
    const requests = createHttpMetrics(metrics);
    const connections = await openConnections({
      config,
      database,
      clock,
      log,
      answered: () => requests.answered(),
    });
    started.add(connections.close);
    const { bus, roles } = connections;
    const committer = createCommitter(database, bus);
    const limiter = createRateLimiter(config.rateLimits, clock, { isShared: bus.tag !== '' });
    const domains = assembleDomains({
      config,
      log,
      database,
      clock,
      bus,
      roles,
      committer,
      metrics,
      limiter,
      signingKey,
      notaryKey,
      appservices,
    });
    started.add(domains.close);
    await connections.join();
    const { name, workers } = connections;
    const stopSharing = bus.tag === '' ? null : shareLimits(limiter, bus, bus.tag);
    started.add(() => stopSharing?.());
    const passOn = createPassOn({ workers, holders: config.workers.holders, log });
    const self = { app: appNameOf(config), name };
    const isAlone = config.workers.app === null;
    const endpoints = domains.endpoints.map((endpoint) =>
      isAlone || serves(self, endpoint, config) ? endpoint : passedOn(endpoint, passOn),
    );
    const isGeneral = self.app === 'main' || self.app === 'generic_worker';
    const http = createHttpServer(listeners, endpoints, {
      authenticate: domains.authenticate,
      authenticateServer: domains.authenticateServer,
      limiter,
      serverLimiter: createServerLimiter(config.serverLimits, clock, metrics),
      log,
      metrics: requests,
      passOn: isGeneral ? null : (req, res) => passOn(req, res, null),
    });
    const urls = await http.listen();
    started.add(() => http.close(0));
    const links = createLinkServer(http.answerAs(linkListener(config)));
    await connections.announce((socket) => links.accept(socket));
    const registrations = followRegistrations({
      source: registrationSource,
      registrations: appservices,
      serverName: config.serverName,
      log,
    });
    const tidying = setInterval(() => {
      domains.tidy().catch((error: unknown) => log.warn({ err: error }, 'tidying up failed'));
    }, tidyIntervalMs);
    return {
      urls,
      isFirstStart: storage.isNew,
      reload: registrations.reload,
      async close() {
        clearInterval(tidying);
        registrations.stop();
        stopSharing?.();
        await connections.drain();
        await Promise.all([http.close(closeGraceMs), links.close(closeGraceMs)]);
        await committer.drain();
        await domains.close();
        await connections.close();
        await storage.close();
      },
    };
  } catch (error) {
    await started.close();
    throw error;
  }
}
