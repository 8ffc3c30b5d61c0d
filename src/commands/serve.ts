import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { loadConfig, type Config } from '../config/config.ts';
import { createLog } from '../kernel/log.ts';
import { writeConfig } from './generate-config.ts';

const collect = (value: string, before: string[]) => [...before, value];

async function configPathsOf(options: { configPath: string[]; dataDir?: string }) {
  if (options.configPath.length > 0) return options.configPath;
  const dataDir = options.dataDir ?? './data';
  const path = join(dataDir, 'homeserver.yaml');
  if (!existsSync(path)) {
    const serverName = 'localhost';
    const address = '127.0.0.1';
    const wanted = { serverName, dataDir, port: 8008, address, databaseUrl: null, isOpen: false };
    await writeConfig(wanted);
    console.log(`first start: wrote ${path}; change server_name there before you have users`);
  }
  return [path];
}

async function serve(config: Config, warnings: readonly string[], paths: string[]): Promise<void> {
  const log = createLog(config.logLevel);
  for (const warning of warnings) log.warn(warning);
  process.on('uncaughtException', (error) => log.error({ err: error }, 'bug: uncaught exception'));
  process.on('unhandledRejection', (reason) =>
    log.error({ err: reason }, 'bug: unhandled rejection'),
  );
  const { startServer } = await import('../apps/all-in-one.ts');
  let server: Awaited<ReturnType<typeof startServer>> | null = null;
  let isStopping = false;
  const stop = () => {
    if (isStopping) process.exit(1);
    isStopping = true;
    log.info('stopping; once more to stop at once');
    Promise.resolve(server?.close())
      .then(() => (config.pidFile ? rm(config.pidFile, { force: true }) : undefined))
      .then(
        () => process.exit(0),
        (error: unknown) => {
          log.error({ err: error }, 'stopping failed');
          process.exit(1);
        },
      );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  server = await startServer(config, log, (step, ms) => console.log(`${step} (${ms} ms)`));
  if (config.pidFile) await writeFile(config.pidFile, `${process.pid}\n`);
  if (server.isFirstStart) {
    console.log(
      `create the first admin in another terminal: npx lattice register-user --admin ` +
        `--config-path ${paths[0]!}`,
    );
  }
  console.log(`ready ${server.urls[0] ?? ''}`);
}

export function addServe(program: Command): void {
  program
    .command('serve')
    .description('run the server')
    .option(
      '-c, --config-path <path>',
      'a configuration file or folder; later ones win; may be given many times',
      collect,
      [],
    )
    .option('--data-dir <folder>', 'run with the configuration there, made at the first start')
    .action(async (options: { configPath: string[]; dataDir?: string }) => {
      const paths = await configPathsOf(options);
      const { config, warnings } = await loadConfig(paths);
      await serve(config, warnings, paths);
    });
}
