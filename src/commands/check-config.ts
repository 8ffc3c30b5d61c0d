import type { Command } from 'commander';
import { loadConfig } from '../config/config.ts';

export function addCheckConfig(program: Command): void {
  program
    .command('check-config')
    .description('say what is wrong with a configuration; exit status 2 when something is')
    .argument('<paths...>', 'configuration files or folders; later ones win')
    .action(async (paths: string[]) => {
      const { config, warnings } = await loadConfig(paths);
      for (const warning of warnings) console.log(`warning: ${warning}`);
      console.log(`the configuration of ${config.serverName} is good`);
    });
}
