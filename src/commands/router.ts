import type { Command } from 'commander';
import { loadConfig } from '../config/config.ts';
import { createLog } from '../kernel/log.ts';
import { configPathsOf, takesConfigPaths } from './config-paths.ts';
import { listenForEnd, nothingToReload } from './ends.ts';

async function runRouter(paths: readonly string[]): Promise<void> {
  const { config, warnings } = await loadConfig(paths);
  const log = createLog(config.logLevel);
  for (const warning of warnings) log.warn(warning);
  const { startRouter } = await import('../up/start-router.ts');
  const router = await startRouter(config, log);
  listenForEnd({ log, close: router.close, reload: nothingToReload(log) });
  console.log(`ready ${router.urls[0] ?? ''}`);
}

export function addRouter(program: Command): void {
  takesConfigPaths(program.command('router'))
    .description('run a router for workers that are started one by one, on any machine')
    .action((paths: string[], options: { configPath: string[] }, command: Command) =>
      runRouter(configPathsOf(paths, options, command)),
    );
}
