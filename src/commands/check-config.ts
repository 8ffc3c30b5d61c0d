import type { Command } from 'commander';
import { loadConfig } from '../config/config.ts';
import { ConfigError } from '../config/read-files.ts';
import { configPathsOf, takesConfigPaths } from './config-paths.ts';

function printWarnings(warnings: readonly string[]): void {
  for (const warning of warnings) console.log(`warning: ${warning}`);
}

export function addCheckConfig(program: Command): void {
  takesConfigPaths(program.command('check-config'))
    .description('say what is wrong with a configuration; exit status 2 when something is')
    .action(async (paths: string[], options: { configPath: string[] }, command: Command) => {
      try {
        const { config, warnings } = await loadConfig(configPathsOf(paths, options, command));
        printWarnings(warnings);
        console.log(`the configuration of ${config.serverName} is good`);
      } catch (error) {
        if (error instanceof ConfigError) printWarnings(error.warnings);
        throw error;
      }
    });
}
