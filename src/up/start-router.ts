import type pg from 'pg';
import { declaredRows } from '../apps/declared-rows.ts';
import { upstreamsOf } from '../apps/known-workers.ts';
import { linkSecretOf } from '../apps/connections.ts';
import { listenerOptions } from '../apps/listeners.ts';
import { routingSettingsOf } from '../apps/routing-settings.ts';
import type { Config } from '../config/config.ts';
import { openDatabase } from '../database/open-database.ts';
import type { Log } from '../kernel/log.ts';
import { Metrics } from '../kernel/metrics.ts';
import { eventWriterRole } from '../rooms/module.ts';
import { createRouter } from '../router/router.ts';
import { createClassifier } from '../routing/classify.ts';
import { routeTable } from '../routing/table.ts';
import type { UpstreamOptions } from '../routing/upstream.ts';
import { createClusterView } from './cluster-view.ts';

/** A router on its own, for workers that are started by others, on any machine. */
export interface RunningRouter {
  urls: string[];
  close(): Promise<void>;
}

const closeGraceMs = 10_000;
/** How often the workers are looked up. */
const lookMs = 500;

/** Starts a router for the workers that the database knows. */
export async function startRouter(config: Config, log: Log): Promise<RunningRouter> {
  if (config.database === null) {
    throw new Error('a router needs `database`, where workers say how they are reached');
  }
  const connection = config.database as pg.ClientConfig;
  const database = openDatabase({ connection, readConnections: 1, poolSize: 1 });
  const view = createClusterView(database, log, {
    readsFollowWrites: !config.workers.holders.has(eventWriterRole.name),
  });
  const settings = await routingSettingsOf(config);
  const router = createRouter({
    listeners: await listenerOptions(config),
    classify: createClassifier(routeTable(declaredRows(), settings), settings),
    log,
    metrics: new Metrics(),
    prefer: view.prefer,
    linkSecret: await linkSecretOf(config, database),
  });
  let known = '';
  const look = () => {
    const upstreams: UpstreamOptions[] = upstreamsOf(view.workers(), config);
    const now = JSON.stringify(upstreams);
    // When all are taken for dead, the database rather than the workers has had a pause.
    if (now === known || upstreams.length === 0) return;
    known = now;
    router.setUpstreams(upstreams);
    log.info({ workers: upstreams.map(({ id }) => id) }, 'the workers have changed');
  };
  const looking = setInterval(look, lookMs);
  const stop = async () => {
    clearInterval(looking);
    view.close();
    await database.close();
  };
  try {
    await view.refresh();
    look();
    const urls = await router.listen();
    return {
      urls,
      async close() {
        await router.close(closeGraceMs);
        await stop();
      },
    };
  } catch (error) {
    await router.close(0);
    await stop();
    throw error;
  }
}
