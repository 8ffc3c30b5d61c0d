import { readFileSync } from 'node:fs';
import type { OptionLoader } from './option-loader.ts';
import type { Reading } from './reading.ts';

/** A secret that is given itself, or in a file named by the option `<name>_path`. */
export function readSecret(
  loader: OptionLoader,
  path: readonly [...(string | number)[], string],
  secret: string | null,
  file: string | null,
): string | null {
  if (file === null) return secret;
  const name = path.at(-1)!;
  const at = loader.at(...path.slice(0, -1), `${name}_path`);
  if (secret !== null) at.problem(`${name} is set too; only one of them may be`);
  return readSecretFile(at, file);
}

/** The content of a file with a secret; null: it is told that there is none. */
export function readSecretFile(at: Reading, file: string): string | null {
  try {
    const content = readFileSync(file, 'utf8').trim();
    if (content === '') at.problem(`${file} is empty`);
    return content;
  } catch (error) {
    at.problem(`cannot be read: ${(error as Error).message}`);
    return null;
  }
}
