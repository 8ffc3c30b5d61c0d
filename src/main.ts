import { Command } from 'commander';
import { version } from './kernel/version.ts';

type AddCommand = (program: Command) => void;

const addUp = async () => (await import('./commands/up.ts')).addUp;
const addKeys = async () => (await import('./commands/keys.ts')).addKeys;

/** What declares each command. Only that of the command that is asked for is loaded. */
const declaring = new Map<string, () => Promise<AddCommand>>([
  ['serve', async () => (await import('./commands/serve.ts')).addServe],
  ['up', addUp],
  ['scale', addUp],
  ['roll', addUp],
  ['workers', addUp],
  ['check-config', async () => (await import('./commands/check-config.ts')).addCheckConfig],
  [
    'generate-config',
    async () => (await import('./commands/generate-config.ts')).addGenerateConfig,
  ],
  ['register-user', async () => (await import('./commands/register-user.ts')).addRegisterUser],
  ['generate-signing-key', addKeys],
  ['import-synapse', async () => (await import('./commands/import-synapse.ts')).addImportSynapse],
  ['hash-password', addKeys],
  ['doctor', async () => (await import('./commands/doctor.ts')).addDoctor],
  ['routes', async () => (await import('./commands/routes.ts')).addRoutes],
  ['router', async () => (await import('./commands/router.ts')).addRouter],
  [
    'config-reference',
    async () => (await import('./commands/config-reference.ts')).addConfigReference,
  ],
  ['version', async () => addVersion],
]);

function addVersion(program: Command): void {
  program
    .command('version')
    .description('print the version')
    .action(() => console.log(`lattice ${version}, Node.js ${process.version}`));
}

const program = new Command('lattice')
  .description('A Matrix homeserver')
  .version(version, '--version');
const asked = declaring.get(process.argv[2] ?? '');
const needed = asked ? [asked] : [...new Set(declaring.values())];
for (const add of await Promise.all(needed.map((declare) => declare()))) add(program);

const badConfiguration = 2;

try {
  await program.parseAsync();
} catch (error) {
  const { ConfigError } = await import('./config/read-files.ts');
  if (error instanceof ConfigError) {
    for (const problem of error.problems) console.error(problem);
    process.exit(badConfiguration);
  }
  console.error(error instanceof Error ? error.message : String(error));
  process.exit(1);
}
