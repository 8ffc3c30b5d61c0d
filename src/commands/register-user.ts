import { createHmac } from 'node:crypto';
import type { Command } from 'commander';
import { loadConfig, type Config } from '../config/config.ts';
import { ask, askSecretly } from './terminal.ts';

interface Options {
  user?: string;
  password?: string;
  admin?: boolean;
  sharedSecret?: string;
  configPath?: string;
  url?: string;
}

function urlOf(config: Config | null): string {
  for (const listener of config?.listeners ?? []) {
    const { at, tls, resources } = listener;
    if ('port' in at && resources.includes('client')) {
      const host = at.addresses[0] === '0.0.0.0' ? '127.0.0.1' : (at.addresses[0] ?? '127.0.0.1');
      return `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${at.port}`;
    }
  }
  return 'http://127.0.0.1:8008';
}

async function request(url: string, body?: object): Promise<Record<string, unknown>> {
  const response = await fetch(`${url}/_synapse/admin/v1/register`, {
    method: body ? 'POST' : 'GET',
    ...(body
      ? { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }
      : {}),
  });
  const answer = (await response.json()) as Record<string, unknown>;
  if (!response.ok)
    throw new Error(`the server answered ${response.status}: ${String(answer['error'])}`);
  return answer;
}

async function register(options: Options): Promise<void> {
  const config = options.configPath ? (await loadConfig([options.configPath])).config : null;
  const secret = options.sharedSecret ?? config?.accounts.registration.sharedSecret;
  if (!secret) {
    throw new Error(
      'give --shared-secret, or --config-path of a file with registration_shared_secret',
    );
  }
  const username = options.user ?? (await ask('New user localpart: '));
  const password = options.password ?? (await askSecretly('Password: '));
  const isAdmin = options.admin ?? (await ask('Make admin [no]: ')).startsWith('y');
  const url = options.url ?? urlOf(config);
  const { nonce } = await request(url);
  const mac = createHmac('sha1', secret)
    .update([nonce as string, username, password, isAdmin ? 'admin' : 'notadmin'].join('\0'))
    .digest('hex');
  const answer = await request(url, { nonce, username, password, admin: isAdmin, mac });
  console.log(`registered ${String(answer['user_id'])}`);
}

export function addRegisterUser(program: Command): void {
  program
    .command('register-user')
    .description('register a user at a running server, by its registration_shared_secret')
    .option('-u, --user <localpart>', 'asked for when not given')
    .option('-p, --password <text>', 'asked for when not given')
    .option('-a, --admin', 'make the user a server admin')
    .option('--no-admin', 'make the user an ordinary one, without asking')
    .option('-k, --shared-secret <text>', 'instead of the one of the configuration')
    .option('-c, --config-path <path>', 'the configuration of the server')
    .option('--url <url>', 'where the server is; default: as configured')
    .action(register);
}
