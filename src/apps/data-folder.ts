import { stat } from 'node:fs/promises';
import type { Config } from '../config/config.ts';

/**
 * Throws an Error when the data folder is not there. It is not made: it may be on a disk that is not
 * mounted, and the server would go on without what it has kept.
 */
export async function checkDataFolder({ dataDir }: Pick<Config, 'dataDir'>): Promise<void> {
  const found = await stat(dataDir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw new Error(`data_dir ${dataDir} cannot be looked into: ${error.message}`);
  });
  if (!found) throw new Error(`data_dir ${dataDir} is not there: make it, or mount its disk`);
  if (!found.isDirectory()) throw new Error(`data_dir ${dataDir} is no folder`);
}
