import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { hashPassword } from '../accounts/password-hash.ts';
import { loadConfig } from '../config/config.ts';
import { randomLetters } from '../kernel/random.ts';
import { generateSigningKeyLine } from '../matrix/signing.ts';
import { collect } from './config-paths.ts';
import { Terminal } from './terminal.ts';

/** Asks twice, so that a slip does not lock somebody out. */
async function askPassword(): Promise<string> {
  const terminal = new Terminal();
  try {
    const password = await terminal.askSecretly('Password: ');
    const again = await terminal.askSecretly('Confirm password: ');
    if (again !== password) throw new Error('the passwords differ');
    return password;
  } finally {
    terminal.close();
  }
}

export function addKeys(program: Command): void {
  program
    .command('generate-signing-key')
    .description('print a new signing key, as signing_key_path wants it')
    .action(() => console.log(generateSigningKeyLine(`a_${randomLetters(4)}`)));

  program
    .command('hash-password')
    .description('print the hash of a password, as the database keeps it')
    .option(
      '-p, --password <text>',
      'the password; asked for when not given; - reads it from stdin',
    )
    .option('-c, --config-path <path>', 'take the pepper from this configuration', collect, [])
    .action(async (options: { password?: string; configPath: string[] }) => {
      const given =
        options.password === '-' ? readFileSync(0, 'utf8').replace(/\r?\n$/, '') : options.password;
      const password = given ?? (await askPassword());
      if (password === '') throw new Error('the password must not be empty');
      const pepper =
        options.configPath.length > 0
          ? (await loadConfig(options.configPath)).config.accounts.password.pepper
          : '';
      console.log(await hashPassword(password, pepper));
    });
}
