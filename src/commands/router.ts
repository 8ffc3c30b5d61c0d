import type { Command } from 'commander';
import { loadConfig } from '../config/config.ts';
import { createLog } from '../kernel/log.ts';
import { configPathsOf, takesConfigPaths } from './config-paths.ts';
import { stopOnSignals } from './stop-signals.ts';

async function runRouter(paths: readonly string[]): Promise<void> {
  const { config, warnings } = await loadConfig(paths);
  const log = createLog(config.logLevel);
  for (const warning of warnings) log.warn(warning);
  const { startRouter } = await import('../up/start-router.ts');
  const router = await startRouter(config, log);
  const stop = async () => {
    log.info('stopping; once more to stop at once');
    await router.close();
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
  console.log(`ready ${router.urls[0] ?? ''}`);
}

export function addRouter(program: Command): void {
  takesConfigPaths(program.command('router'))
    .description('run a router for workers that are started one by one, on any machine')
    .action((paths: string[], options: { configPath: string[] }, command: Command) =>
      runRouter(configPathsOf(paths, options, command)),
    );
}
