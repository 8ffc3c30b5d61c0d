import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { randomLetters } from '../kernel/random.ts';
import { generateSigningKeyLine, parseSigningKey, type SigningKey } from '../matrix/signing.ts';

/** Makes a signing key file unless there is one. */
export async function writeSigningKey(path: string): Promise<void> {
  if (existsSync(path)) return;
  const version = `a_${randomLetters(4)}`;
  await writeFile(path, `${generateSigningKeyLine(version)}\n`, { mode: 0o600 });
}

/**
 * The key that the configuration has itself, else that of its file, which is made when there is none.
 * Throws an Error that names the file.
 */
export async function readSigningKey({
  signingKey,
  signingKeyPath: path,
}: {
  signingKey: string | null;
  signingKeyPath: string;
}): Promise<SigningKey> {
  if (signingKey !== null) return parseSigningKey(signingKey);
  try {
    await writeSigningKey(path);
    return parseSigningKey(await readFile(path, 'utf8'));
  } catch (error) {
    throw new Error(`signing_key_path ${path}: ${(error as Error).message}`, { cause: error });
  }
}
