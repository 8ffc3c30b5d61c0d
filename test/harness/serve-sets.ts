// Starts worker sets for the test files of a run, and keeps those that many files share: prints the
// URL to ask at, and ends with its parent.
//   POST /       { options: YAML, apps: [app …] }: 200 { url, dataDir, id }; `id` null: a shared set
//   DELETE /id   ends a set that is not shared
import { rm } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { sharedSets, sharedSetWith } from './shared-sets.ts';
import type { StartedSet, WantedSet } from './server.ts';
import { startWorkerSet, twoWritersAnd, workerCounts } from './topology.ts';

type Starting = ReturnType<typeof startWorkerSet>;
const shared = new Map<string, Starting>();
const others = new Map<string, Starting>();
let count = 0;

function sharedSet(name: keyof typeof sharedSets): Starting {
  const starting = shared.get(name) ?? startWorkerSet(sharedSets[name], workerCounts);
  shared.set(name, starting);
  return starting;
}

async function start({ options, apps }: WantedSet): Promise<StartedSet> {
  const name = sharedSetWith(options);
  const id = name === null ? String(++count) : null;
  if (id !== null) others.set(id, startWorkerSet(options, twoWritersAnd(apps)));
  const { set, dataDir } = await (name === null ? others.get(id!)! : sharedSet(name));
  return { url: set.urls[0]!, dataDir, id };
}

async function end(starting: Starting | undefined): Promise<void> {
  const started = await starting?.catch(() => null);
  await started?.set.close();
  if (started) await rm(started.dataDir, { recursive: true, force: true });
}

async function answer(req: IncomingMessage): Promise<StartedSet | null> {
  if (req.method === 'POST') return start(JSON.parse(await text(req)) as WantedSet);
  const id = req.url!.slice(1);
  await end(others.get(id));
  others.delete(id);
  return null;
}

const server = createServer((req, res) => {
  const failed = (error: unknown) => {
    res.statusCode = 500;
    return { error: String(error) };
  };
  void answer(req)
    .catch(failed)
    .then((body) => res.end(JSON.stringify(body)));
});
server.listen(0, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

async function stop(): Promise<void> {
  const names = [...shared.keys()].join(', ') || 'none';
  console.error(`worker sets that were started: shared ${names}; for one file ${count}`);
  await Promise.all([...shared.values(), ...others.values()].map(end));
  process.exit(0);
}
process.on('disconnect', () => void stop());
process.on('SIGTERM', () => void stop());
