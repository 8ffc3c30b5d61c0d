// Keeps the worker sets that many test files share: prints the URL to ask at, starts a set when its
// name is asked for first and answers with its URL, and ends with its parent.
import { rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { sharedSets, type SharedSet } from './shared-sets.ts';
import { startWorkerSet } from './topology.ts';

const started = new Map<string, ReturnType<typeof startWorkerSet>>();

async function urlOf(name: string): Promise<string> {
  let starting = started.get(name);
  if (!starting) started.set(name, (starting = startWorkerSet(sharedSets[name as SharedSet])));
  return (await starting).set.urls[0]!;
}

const server = createServer((req, res) => {
  urlOf(req.url!.slice(1)).then(
    (url) => res.end(url),
    (error: unknown) => {
      res.statusCode = 500;
      res.end(String(error));
    },
  );
});
server.listen(0, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

async function stop(): Promise<void> {
  const results = await Promise.allSettled(started.values());
  const running = results.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  await Promise.all(
    running.map(async ({ set, dataDir }) => {
      await set.close();
      await rm(dataDir, { recursive: true, force: true });
    }),
  );
  process.exit(0);
}
process.on('disconnect', () => void stop());
process.on('SIGTERM', () => void stop());
