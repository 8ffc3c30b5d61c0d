import { rm, writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { loadConfig } from '../config/config.ts';
import { appNames, type AppName } from '../config/workers.ts';
import { createLog } from '../kernel/log.ts';
import { collect } from './config-paths.ts';
import { configPathsOf } from './default-config.ts';
import { stopOnSignals } from './stop-signals.ts';

const tableMs = 1_000;

interface Given {
  configPath: string[];
  dataDir?: string;
}

/** Shows the table where the last one was. */
function showTable(read: () => string): NodeJS.Timeout {
  let lines = 0;
  const draw = () => {
    const text = read();
    process.stdout.write(`${lines > 0 ? `\u001B[${lines}A\u001B[J` : ''}${text}\n`);
    lines = text.split('\n').length;
  };
  draw();
  return setInterval(draw, tableMs);
}

async function up(given: Given): Promise<void> {
  const paths = await configPathsOf(given);
  const { config, warnings } = await loadConfig(paths);
  const log = createLog(config.logLevel);
  for (const warning of warnings) log.warn(warning);
  const { startUp } = await import('../up/start-up.ts');
  const starting = startUp(paths, log);
  let drawing: NodeJS.Timeout | null = null;
  const stop = async () => {
    if (drawing) clearInterval(drawing);
    log.info('stopping; once more to stop at once');
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
  process.on('disconnect', onSignal);
  process.channel?.unref();
  const set = await starting;
  if (config.pidFile) await writeFile(config.pidFile, `${process.pid}\n`);
  process.on('SIGHUP', () => {
    set
      .roll()
      .catch((error: unknown) => log.error({ err: error }, 'the new processes did not start'));
  });
  if (set.isFirstStart) {
    const options = paths.map((path) => `--config-path ${path}`).join(' ');
    console.log(
      `create the first admin in another terminal: npx lattice register-user --admin ${options}`,
    );
  }
  console.log(`ready ${set.urls[0] ?? ''}`);
  if (process.stdout.isTTY) drawing = showTable(() => set.table());
}

const isAppName = (name: string): name is AppName => appNames.some((app) => app === name);

/** `generic_worker=4` as name and number. */
function countIn(text: string): [AppName, number] {
  const [name = '', number = ''] = text.split('=');
  if (!isAppName(name) || !/^\d{1,3}$/.test(number)) {
    throw new Error(`${text} is not <app>=<count>, with an app of ${appNames.join(', ')}`);
  }
  return [name, Number(number)];
}

async function ask(given: Given, request: object): Promise<void> {
  const { config } = await loadConfig(await configPathsOf(given));
  const { askSupervisor } = await import('../up/control.ts');
  const { controlPathOf } = await import('../up/run-folder.ts');
  console.log(await askSupervisor(controlPathOf(config.dataDir), request as never));
}

const configPath = ['-c, --config-path <path>', 'a configuration file or folder', collect] as const;
const dataDir = ['--data-dir <folder>', 'the configuration there'] as const;

export function addUp(program: Command): void {
  program
    .command('up')
    .description('run the server as a set of processes on this machine: router, workers, Redis')
    .option(...configPath, [])
    .option(...dataDir)
    .action(up);
  program
    .command('scale')
    .description('change how many processes of an app `lattice up` runs: generic_worker=4')
    .argument('<app=count...>')
    .option(...configPath, [])
    .option(...dataDir)
    .action((counts: string[], given: Given) =>
      ask(given, { command: 'scale', counts: Object.fromEntries(counts.map(countIn)) }),
    );
  program
    .command('roll')
    .description('replace every process of `lattice up` by a new one, without a failed request')
    .option(...configPath, [])
    .option(...dataDir)
    .action((given: Given) => ask(given, { command: 'roll' }));
  program
    .command('workers')
    .description('show the processes of `lattice up`')
    .option(...configPath, [])
    .option(...dataDir)
    .action((given: Given) => ask(given, { command: 'table' }));
}
