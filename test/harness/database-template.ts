import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { locatePostgres } from '../../src/database/embedded/install.ts';
import { startEmbedded } from '../../src/database/embedded/start.ts';
import { migrate, readMigrations } from '../../src/database/migrate.ts';

const cacheFolder = join(import.meta.dirname, '../../node_modules/.cache/lattice-postgres');
const copy = promisify(execFile);
/** Those of other schemas are kept so long. */
const keptMs = 7 * 24 * 60 * 60 * 1000;
const log = { info: console.log, warn: console.log };

/** Where the cluster with these programs and this schema is kept. */
async function templateFolder(): Promise<string> {
  const hash = createHash('sha256');
  hash.update(await readFile(join(locatePostgres(), '..', 'package.json')));
  for (const { name, checksum } of await readMigrations()) hash.update(`${name} ${checksum}\n`);
  return join(cacheFolder, hash.digest('hex').slice(0, 16));
}

async function removeOldTemplates(): Promise<void> {
  const folders = (await readdir(cacheFolder)).map((name) => join(cacheFolder, name));
  const isOld = async (folder: string) => {
    const { mtimeMs } = await stat(folder).catch(() => ({ mtimeMs: Infinity }));
    return mtimeMs < Date.now() - keptMs;
  };
  await Promise.all(
    folders.map(async (folder) => {
      if (await isOld(folder)) await rm(folder, { recursive: true, force: true });
    }),
  );
}

async function makeTemplate(folder: string): Promise<void> {
  await mkdir(cacheFolder, { recursive: true });
  await removeOldTemplates();
  const unfinished = await mkdtemp(`${folder}-`);
  try {
    const postgres = await startEmbedded(unfinished, log);
    try {
      await migrate(postgres.connection);
    } finally {
      await postgres.close();
    }
    // Where another process was quicker, this fails.
    await rename(unfinished, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error;
    });
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

/**
 * Puts an embedded PostgreSQL with the schema into a data folder: making one takes two seconds of
 * CPU, a copy a tenth of one. How it is made at a first start, tests of processes show.
 */
export async function putDatabase(dataDir: string): Promise<void> {
  const template = await templateFolder();
  if (!existsSync(template)) await makeTemplate(template);
  const base = join(dataDir, 'postgres');
  await mkdir(base, { recursive: true });
  await copy('cp', ['-a', join(template, 'data'), base]);
}
