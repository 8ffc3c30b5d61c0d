import { Command } from 'commander';
import { addCheckConfig } from './commands/check-config.ts';
import { addConfigReference } from './commands/config-reference.ts';
import { addDoctor } from './commands/doctor.ts';
import { addGenerateConfig } from './commands/generate-config.ts';
import { addKeys } from './commands/keys.ts';
import { addRegisterUser } from './commands/register-user.ts';
import { addRouter } from './commands/router.ts';
import { addRoutes } from './commands/routes.ts';
import { addServe } from './commands/serve.ts';
import { addUp } from './commands/up.ts';
import { ConfigError } from './config/read-files.ts';
import { version } from './kernel/version.ts';

const program = new Command('lattice')
  .description('A Matrix homeserver')
  .version(version, '--version');
addServe(program);
addUp(program);
addCheckConfig(program);
addGenerateConfig(program);
addRegisterUser(program);
addKeys(program);
addDoctor(program);
addRoutes(program);
addRouter(program);
addConfigReference(program);
program
  .command('version')
  .description('print the version')
  .action(() => console.log(`lattice ${version}, Node.js ${process.version}`));

const badConfiguration = 2;

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof ConfigError) {
    for (const problem of error.problems) console.error(problem);
    process.exit(badConfiguration);
  }
  console.error(error instanceof Error ? error.message : String(error));
  process.exit(1);
}
