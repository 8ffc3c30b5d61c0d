import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AppName } from '../../src/config/workers.ts';
import { createLog } from '../../src/kernel/log.ts';
import { startUp, type RunningSet } from '../../src/up/start-up.ts';
import { putDatabase } from './database-template.ts';
import { makeDataDir } from './server.ts';

/** One of each worker app, and two that write. */
export const workerCounts = `
workers:
  generic_worker: 2
  media_repository: 1
  user_dir: 1
  frontend_proxy: 1
  pusher: 1
  appservice: 1
  federation_sender: 1
stream_writers:
  events: [generic_worker1, generic_worker2]
`;

/** Two that write, and one of each of the apps. */
export const twoWritersAnd = (apps: readonly AppName[]) => `
workers: {generic_worker: 2${apps.map((app) => `, ${app}: 1`).join('')}}
stream_writers: {events: [generic_worker1, generic_worker2]}
`;

/** A set of processes with its own database, and the folder it keeps. */
export async function startWorkerSet(
  extra = '',
  workers = workerCounts,
): Promise<{ set: RunningSet; dataDir: string; configPaths: string[] }> {
  const { dataDir, configPaths } = await makeDataDir(extra);
  await putDatabase(join(dataDir, 'data'));
  const workersPath = join(dataDir, 'workers.yaml');
  await writeFile(workersPath, workers);
  const paths = [...configPaths, workersPath];
  return { set: await startUp(paths, createLog('error')), dataDir, configPaths: paths };
}
