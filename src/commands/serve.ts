import { rm, writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { loadConfig, type Config } from '../config/config.ts';
import { createLog, type Log } from '../kernel/log.ts';
import { collect } from './config-paths.ts';
import { configPathsOf } from './default-config.ts';
import { stopOnSignals } from './stop-signals.ts';

/** A bug in one request does not end the server; one during the start does. */
function logBugs(log: Log, isReady: () => boolean): void {
  process.on('uncaughtException', (error) => {
    log.error({ err: error }, 'bug: uncaught exception');
    if (!isReady()) process.exit(1);
  });
  process.on('unhandledRejection', (reason) => {
    log.error({ err: reason }, 'bug: unhandled rejection');
  });
  // Whoever read the output may be gone.
  for (const output of [process.stdout, process.stderr]) output.on('error', () => undefined);
}

async function serve(config: Config, warnings: readonly string[], paths: string[]): Promise<void> {
  const log = createLog(config.logLevel);
  for (const warning of warnings) log.warn(warning);
  let isReady = false;
  logBugs(log, () => isReady);
  const { startServer } = await import('../apps/start-server.ts');
  const starting = startServer(config, log, (step, ms) => console.log(`${step} (${ms} ms)`));
  const stop = async () => {
    log.info('stopping; once more to stop at once');
    // A start that is under way ends first, so that nothing is left running.
    await (await starting).close();
    if (config.pidFile) await rm(config.pidFile, { force: true });
    process.exit(0);
  };
  const onSignal = stopOnSignals(
    () => performance.now(),
    () =>
      void stop().catch((error: unknown) => {
        log.error({ err: error }, 'stopping failed');
        process.exit(1);
      }),
    () => process.exit(1),
  );
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  // Started by a process that waits for this one: it was killed.
  process.on('disconnect', onSignal);
  process.channel?.unref();
  const server = await starting;
  isReady = true;
  if (config.pidFile) await writeFile(config.pidFile, `${process.pid}\n`);
  if (server.isFirstStart) {
    const options = paths.map((path) => `--config-path ${path}`).join(' ');
    console.log(
      `create the first admin in another terminal: npx lattice register-user --admin ${options}`,
    );
  }
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
