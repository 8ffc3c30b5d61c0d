import type { Command } from 'commander';
import { loadConfig, type Config } from '../config/config.ts';
import { createLog, type Log } from '../kernel/log.ts';
import { collect } from './config-paths.ts';
import { configPathsOf, firstAdminHint } from './default-config.ts';
import { listenForEnd, pidFileAt } from './ends.ts';

/** A bug in one request does not end the server; one during the start does. */
function logBugs(log: Log, isReady: () => boolean): void {
  process.on('uncaughtException', (error) => {
    log.error({ err: error }, 'bug: uncaught exception');
    if (!isReady()) process.exit(1);
  });
  process.on('unhandledRejection', (reason) => {
    log.error({ err: reason }, 'bug: unhandled rejection');
  });
}

async function serve(config: Config, warnings: readonly string[], paths: string[]): Promise<void> {
  const { name } = config.workers;
  const log = createLog(config.logLevel).child(name === null ? {} : { process: name });
  for (const warning of warnings) log.warn(warning);
  let isReady = false;
  logBugs(log, () => isReady);
  const { startServer } = await import('../apps/start-server.ts');
  const pidFile = pidFileAt(config.pidFile);
  const progress = (step: string, ms: number) => {
    if (!ends.isStopping()) console.log(`${step} (${ms} ms)`);
  };
  const starting = startServer(config, log, progress, {
    configPaths: paths,
    files: async () => (await loadConfig(paths)).config.appserviceFiles,
  });
  const ends = listenForEnd({
    log,
    async close() {
      await (await starting).close();
      await pidFile.remove();
    },
    reload: () =>
      void starting
        .then((running) => running.reload())
        .catch((error: unknown) => log.error({ err: error }, 'nothing could be read again')),
  });
  const server = await starting;
  isReady = true;
  if (ends.isStopping()) return;
  await pidFile.write().catch(async (error: unknown) => {
    await server.close();
    throw error;
  });
  const isWorker = config.workers.app !== null && config.workers.app !== 'homeserver';
  if (server.isFirstStart && !isWorker) console.log(firstAdminHint(paths));
  console.log(`ready ${server.urls[0] ?? ''}`);
}

export function addServe(program: Command): void {
  program
    .command('serve')
    .description('run the server')
    .option(
      '-c, --config-path <path>',
      'a configuration file or folder; later ones win; may be given many times',
      collect,
      [],
    )
    .option('--data-dir <folder>', 'run with the configuration there, made at the first start')
    .action(async (options: { configPath: string[]; dataDir?: string }) => {
      const paths = await configPathsOf(options);
      const { config, warnings } = await loadConfig(paths);
      await serve(config, warnings, paths);
    });
}
