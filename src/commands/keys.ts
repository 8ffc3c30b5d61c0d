import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { hashPassword } from '../accounts/password-hash.ts';
import { loadConfig } from '../config/config.ts';
import { randomLetters } from '../kernel/random.ts';
import { generateSigningKeyLine } from '../matrix/signing.ts';
import { askSecretly } from './terminal.ts';

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
    .option('-c, --config-path <path>', 'take the pepper from this configuration')
    .action(async (options: { password?: string; configPath?: string }) => {
      const given = options.password === '-' ? readFileSync(0, 'utf8').trim() : options.password;
      const password = given ?? (await askSecretly('Password: '));
      const pepper = options.configPath
        ? (await loadConfig([options.configPath])).config.accounts.password.pepper
        : '';
      console.log(await hashPassword(password, pepper));
    });
}
