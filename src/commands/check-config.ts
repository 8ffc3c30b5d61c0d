import type { Command } from 'commander';
import { loadConfig } from '../config/config.ts';
import { configPathsOf, takesConfigPaths } from './config-paths.ts';

export function addCheckConfig(program: Command): void {
  takesConfigPaths(program.command('check-config'))
    .description('say what is wrong with a configuration; exit status 2 when something is')
    .action(async (paths: string[], options: { configPath: string[] }, command: Command) => {
      const { config, warnings } = await loadConfig(configPathsOf(paths, options, command));
      for (const warning of warnings) console.log(`warning: ${warning}`);
      console.log(`the configuration of ${config.serverName} is good`);
    });
}
