import type { Command } from 'commander';

export function addConfigReference(program: Command): void {
  program
    .command('config-reference')
    .description('print the reference of all configuration options, in Markdown')
    .action(async () => {
      const { configReference } = await import('../config/reference.ts');
      process.stdout.write(configReference());
    });
}
