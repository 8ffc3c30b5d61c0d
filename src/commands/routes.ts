import { InvalidArgumentError, type Command } from 'commander';
import type { ProxySubject } from '../routing/proxies/plan.ts';
import { loadConfig } from '../config/config.ts';
import { endWithReader } from './ends.ts';
import { collect, configPathsOf, portOf, takesConfigPaths } from './config-paths.ts';

/** More than anything clients may upload; the workers have the real limits. */
const bodyBytesMax = 512 * 1024 * 1024;
const defaultPort = 80;

const formats: Readonly<Record<string, () => Promise<(subject: ProxySubject) => string>>> = {
  table: async () => (await import('../routing/proxies/listing.ts')).routesText,
  json: async () => (await import('../routing/proxies/listing.ts')).routesJson,
  nginx: async () => (await import('../routing/proxies/nginx.ts')).nginxConfig,
  haproxy: async () => (await import('../routing/proxies/haproxy.ts')).haproxyConfig,
  caddy: async () => (await import('../routing/proxies/caddy.ts')).caddyConfig,
  traefik: async () => (await import('../routing/proxies/traefik.ts')).traefikConfig,
};

function formatOf(text: string): string {
  if (Object.hasOwn(formats, text)) return text;
  throw new InvalidArgumentError(`One of ${Object.keys(formats).join(', ')}.`);
}

interface Given {
  configPath: string[];
  format: string;
  workerConfig: string[];
  live?: boolean;
  port: number;
}

async function printRoutes(paths: readonly string[], given: Given): Promise<void> {
  const [{ declaredRows }, { routingSettingsOf }, { routeTable }, workers] = await Promise.all([
    import('../apps/declared-rows.ts'),
    import('../apps/routing-settings.ts'),
    import('../routing/table.ts'),
    import('../apps/known-workers.ts'),
  ]);
  const { config } = await loadConfig(paths);
  if (workers.isOfWorker(config)) {
    throw new Error('one of the files is that of a worker: give each of these with an own -w');
  }
  const settings = await routingSettingsOf(config);
  const upstreams = given.live
    ? await workers.liveWorkers(config)
    : await workers.workersOfFiles(paths, given.workerConfig);
  if (upstreams.length === 0) throw new Error('no process is known that requests could go to');
  const print = await formats[given.format]!();
  const subject: ProxySubject = {
    rows: routeTable(declaredRows(), settings),
    settings,
    upstreams,
    port: given.port,
    serverName: '_',
    bodyBytesMax,
  };
  endWithReader();
  process.stdout.write(print(subject));
}

export function addRoutes(program: Command): void {
  takesConfigPaths(program.command('routes'))
    .description('print which request goes to which worker, or a reverse proxy’s configuration')
    .option('-f, --format <format>', Object.keys(formats).join(', '), formatOf, 'table')
    .option('-w, --worker-config <path>', 'the file of a worker; once for each worker', collect, [])
    .option('--live', 'the workers that are running now, as the database knows them')
    .option('-p, --port <port>', 'where the reverse proxy listens', portOf, defaultPort)
    .action((paths: string[], given: Given, command: Command) =>
      printRoutes(configPathsOf(paths, given, command), given),
    );
}
