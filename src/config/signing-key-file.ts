import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { randomLetters } from '../kernel/random.ts';
import { generateSigningKeyLine } from '../matrix/signing.ts';

/** Makes a signing key file unless there is one. */
export async function writeSigningKey(path: string): Promise<void> {
  if (existsSync(path)) return;
  const version = `a_${randomLetters(4)}`;
  await writeFile(path, `${generateSigningKeyLine(version)}\n`, { mode: 0o600 });
}
