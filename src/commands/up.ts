import type { Command } from 'commander';
import { loadConfig } from '../config/config.ts';
import { appNames, type AppName } from '../config/workers.ts';
import { createLog, readableLines } from '../kernel/log.ts';
import { collect } from './config-paths.ts';
import { configPathsOf, firstAdminHint } from './default-config.ts';
import { listenForEnd, pidFileAt } from './ends.ts';
import { LiveTable } from './live-table.ts';

interface Given {
  configPath: string[];
  dataDir?: string;
}

async function up(given: Given): Promise<void> {
  const paths = await configPathsOf(given);
  const { config, warnings } = await loadConfig(paths);
  let table: LiveTable | null = null;
  const hasTerminal = process.stdout.isTTY;
  // A log on the same terminal stays above the table.
  const entries =
    hasTerminal && process.stderr.isTTY
      ? readableLines({
          write: (text) => (table ? table.write(text) : void process.stderr.write(text)),
        })
      : null;
  const log = createLog(config.logLevel, entries ?? undefined);
  for (const warning of warnings) log.warn(warning);
  const { startUp } = await import('../up/start-up.ts');
  const pidFile = pidFileAt(config.pidFile);
  const starting = startUp(paths, log, {
    progress: (step, ms) => {
      if (!ends.isStopping()) console.log(`${step} (${ms} ms)`);
    },
    workerLog: entries,
  });
  const ends = listenForEnd({
    log,
    async close() {
      table?.stop();
      table = null;
      await (await starting).close();
      await pidFile.remove();
    },
    reload: () =>
      void starting
        .then((set) => set.roll())
        .catch((error: unknown) => log.error({ err: error }, 'the new processes did not start')),
  });
  const set = await starting;
  if (ends.isStopping()) return;
  await pidFile.write().catch(async (error: unknown) => {
    await set.close();
    throw error;
  });
  if (set.isFirstStart) console.log(firstAdminHint(paths));
  console.log(`ready ${set.urls[0] ?? ''}`);
  if (hasTerminal) table = new LiveTable(process.stdout, () => set.table());
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

/** The processes of `lattice up`, or those that the database knows. */
async function showWorkers(given: Given): Promise<void> {
  const { config } = await loadConfig(await configPathsOf(given));
  const { askSupervisor, NoSupervisor } = await import('../up/control.ts');
  const { controlPathOf } = await import('../up/run-folder.ts');
  try {
    console.log(await askSupervisor(controlPathOf(config.dataDir), { command: 'table' }));
    return;
  } catch (error) {
    if (!(error instanceof NoSupervisor)) throw error;
    // A server with a database of its own is one process, or a set of `lattice up`.
    if (config.database === null) throw error;
  }
  const { readCluster } = await import('../apps/known-workers.ts');
  const { clusterTable } = await import('../up/table.ts');
  const { workers, leases } = await readCluster(config);
  if (workers.length === 0) throw new Error('no process of a set is known to the database');
  console.log(clusterTable(workers, leases));
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
    .description('show the processes of `lattice up`, or of a set that was started otherwise')
    .option(...configPath, [])
    .option(...dataDir)
    .action(showWorkers);
}
