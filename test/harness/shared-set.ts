// Runs a worker set for the tests of a whole suite: prints its URL, and ends with its parent.
import { rm } from 'node:fs/promises';
import { startWorkerSet } from './topology.ts';

const { set, dataDir } = await startWorkerSet();
console.log(set.urls[0]);
const stop = async () => {
  await set.close();
  await rm(dataDir, { recursive: true, force: true });
  process.exit(0);
};
process.on('disconnect', () => void stop());
process.on('SIGTERM', () => void stop());
