import type { Command } from 'commander';
import { endWithReader } from './ends.ts';

export function addConfigReference(program: Command): void {
  program
    .command('config-reference')
    .description('print the reference of all configuration options, in Markdown')
    .action(async () => {
      const { configReference } = await import('../config/reference.ts');
      endWithReader();
      process.stdout.write(configReference());
    });
}
