import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { Option, type Command } from 'commander';
import { loadConfig, type Config } from '../config/config.ts';
import { collect } from './config-paths.ts';
import { callServer, targetOf, type Target } from './local-server.ts';
import { Terminal } from './terminal.ts';

interface GivenOptions {
  user?: string;
  password?: string;
  passwordFile?: string;
  user_type?: string;
  admin?: boolean;
  sharedSecret?: string;
  configPath: string[];
  existsOk?: boolean;
}

interface NewUser {
  username: string;
  password: string;
  admin: boolean;
  userType: string | null;
}

/** What was not given is asked for. */
async function newUser(options: GivenOptions): Promise<NewUser> {
  const terminal = new Terminal();
  try {
    const me = userInfo().username;
    const username = options.user ?? ((await terminal.ask(`New user localpart [${me}]: `)) || me);
    let password = options.passwordFile
      ? (await readFile(options.passwordFile, 'utf8')).trim()
      : options.password;
    if (password === undefined) {
      password = await terminal.askSecretly('Password: ');
      const again = await terminal.askSecretly('Confirm password: ');
      if (again !== password) throw new Error('the passwords differ');
    }
    if (password === '') throw new Error('the password must not be empty');
    const admin = options.admin ?? /^(y|yes|true)$/i.test(await terminal.ask('Make admin [no]: '));
    return { username, password, admin, userType: options.user_type ?? null };
  } finally {
    terminal.close();
  }
}

const path = '/_synapse/admin/v1/register';

/** Source: Synapse admin API, "Shared-Secret Registration". Gives the new user's id. */
async function registerAt(target: Target, secret: string, user: NewUser): Promise<string> {
  const { nonce } = await callServer(target, path);
  const { username, password, admin, userType } = user;
  const parts = [String(nonce), username, password, admin ? 'admin' : 'notadmin'];
  if (userType !== null) parts.push(userType);
  const mac = createHmac('sha1', secret).update(parts.join('\0')).digest('hex');
  const body = { nonce, username, password, admin, user_type: userType, mac, inhibit_login: true };
  return String((await callServer(target, path, body))['user_id']);
}

async function register(url: string | undefined, options: GivenOptions): Promise<void> {
  const paths = options.configPath;
  const config: Config | null = paths.length > 0 ? (await loadConfig(paths)).config : null;
  const secret = options.sharedSecret ?? config?.accounts.registration.sharedSecret;
  if (!secret) {
    throw new Error(
      'give --shared-secret, or --config-path of a file with registration_shared_secret',
    );
  }
  const target = targetOf(url, config);
  try {
    console.log(`registered ${await registerAt(target, secret, await newUser(options))}`);
  } catch (error) {
    const isTaken = (error as { errcode?: string }).errcode === 'M_USER_IN_USE';
    if (!options.existsOk || !isTaken) throw error;
    console.log('the user exists already');
  }
}

export function addRegisterUser(program: Command): void {
  program
    .command('register-user')
    .description('register a user at a running server, by its registration_shared_secret')
    .argument('[url]', 'where the server is; default: as configured, or http://127.0.0.1:8008')
    .option('-u, --user <localpart>', 'asked for when not given')
    .addOption(
      new Option('-p, --password <text>', 'asked for when not given').conflicts('passwordFile'),
    )
    .option('--password-file <path>', 'a file with the password')
    .option('-t, --user_type <type>', 'the type of the user')
    .option('-a, --admin', 'make the user a server admin')
    .option('--no-admin', 'make the user an ordinary one, without asking')
    .option('-k, --shared-secret <text>', 'instead of the one of the configuration')
    .option(
      '-c, --config-path <path>',
      'the configuration of the server; may be given many times',
      collect,
      [],
    )
    .option('--exists-ok', 'do not fail when the user exists already')
    .option('--url <url>', 'the same as the argument')
    .action((argument: string | undefined, options: GivenOptions & { url?: string }) =>
      register(argument ?? options.url, options),
    );
}
