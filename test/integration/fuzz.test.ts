import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
// Loading the domains declares their endpoints.
// oxlint-disable-next-line import/no-unassigned-import
import '../../src/apps/domains.ts';
import { bindEndpoints, declaredEndpoints, type Endpoint } from '../../src/http/endpoint.ts';
import { requestsTo, send, type FuzzAnswer, type FuzzRequest } from '../harness/fuzz/requests.ts';
import { createWorld, type World } from '../harness/fuzz/world.ts';
import { freePort } from '../harness/proxies.ts';
import { isOnWorkers, makeDataDir, ServerProcess, startTestServer } from '../harness/server.ts';

// Requests made from the schemas of the endpoints: half of them as the schema says, the others with
// something odd in them. Whatever comes, the server answers in time, and never with an error of its
// own. LATTICE_FUZZ_SEED=random LATTICE_FUZZ_SECONDS=900 looks for more.

const { LATTICE_FUZZ_SEED: seedGiven, LATTICE_FUZZ_SECONDS: secondsGiven } = process.env;
const fixedSeed = 20_240_601;
const firstSeed = seedGiven === 'random' ? randomInt(2 ** 31) : Number(seedGiven ?? fixedSeed);
/** Without a time, as many rounds as a run of all tests can bear. */
const roundsMin = 3;
const requestsPerRound = 10;
const concurrency = 8;
/** Far more than any answer takes; long polls are asked to be short. */
const answerTimeoutMs = 30_000;
/** How much more memory may be held at the end than near the beginning: caches fill up. */
const growthBytesMax = 300 * 2 ** 20;

/** Come last in a round: they take away what other requests need. */
const destructive = new Set([
  'logout',
  'logoutAll',
  'deactivateAccount',
  'changePassword',
  'deleteDevice',
  'deleteDevices',
  'setAdminLockUser',
  'setAdminSuspendUser',
  'setAccountValidity',
  'adminDeactivateUser',
  'adminDeleteDevice',
  'adminDeleteDevices',
  'adminPutUser',
  'adminResetPassword',
  'adminSetAdminFlag',
  'adminShadowBan',
  'adminSuspendUser',
  'leaveRoom',
  'leaveRoomWithTxn',
  'forgetRoom',
  'upgradeRoom',
]);

/** What is rightly answered with 5xx: the failure of another server. */
const failuresElsewhere = [
  'Failed to contact identity server',
  'could not be fetched from',
  'does not answer',
  'via any server',
];

const endpoints = bindEndpoints(declaredEndpoints(), undefined as never).toSorted(
  (a, b) => Number(destructive.has(a.operation)) - Number(destructive.has(b.operation)),
);

const options = `
allow_guest_access: true
enable_metrics: true
`;

interface Subject {
  url: string;
  /** Bytes that the process holds; null where there are many processes. */
  residentBytes(): Promise<number | null>;
  close(): Promise<void>;
}

/** A process of its own, so that what it holds is the server's; or a worker set. */
async function startSubject(): Promise<Subject> {
  if (isOnWorkers) {
    const { url, close } = await startTestServer(options, ['media_repository', 'pusher']);
    return { url, close, residentBytes: async () => null };
  }
  const port = await freePort();
  const listener = `
listeners:
  - port: ${port}
    bind_addresses: ['127.0.0.1']
    resources: [{ names: [client, federation, media, health, admin, metrics] }]
`;
  const { dataDir, configPaths } = await makeDataDir(options + listener);
  const server = new ServerProcess(configPaths);
  await server.start();
  return {
    url: server.url,
    async residentBytes() {
      const metrics = await (await fetch(`${server.url}/_synapse/metrics`)).text();
      return Number(/^process_resident_memory_bytes (\S+)$/m.exec(metrics)![1]);
    },
    async close() {
      await server.end('SIGTERM');
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

let subject: Subject;
before(async () => {
  subject = await startSubject();
});
after(() => subject.close());

/** What is wrong with an answer; null: nothing. */
function faultOf(answer: FuzzAnswer): string | null {
  const { status, contentType, body } = answer;
  const isElsewhere = failuresElsewhere.some((failure) => body.includes(failure));
  if (status >= 500 && !isElsewhere) return `${status} ${body}`;
  if (status < 400 || !contentType.startsWith('application/json')) return null;
  let json: Record<string, unknown>;
  try {
    json = JSON.parse(body) as Record<string, unknown>;
  } catch {
    return `${status}, not JSON: ${body}`;
  }
  // Interactive authentication asks for more.
  if (status === 401 && Array.isArray(json['flows'])) return null;
  const isWhole = typeof json['errcode'] === 'string' && typeof json['error'] === 'string';
  return isWhole ? null : `${status} without errcode or error: ${body}`;
}

const shownMax = 1500;
const shown = ({ method, path, requester, body }: FuzzRequest) =>
  `${method} ${path} as ${requester}: ${JSON.stringify(String(body))}`.slice(0, shownMax);

/** Faults of one endpoint's requests in one round. */
async function tryEndpoint(endpoint: Endpoint, world: World, seed: number): Promise<string[]> {
  const requests = fc.sample(requestsTo(endpoint, world), {
    seed,
    numRuns: requestsPerRound,
  });
  const faults: string[] = [];
  for (const request of requests) {
    try {
      // oxlint-disable-next-line no-await-in-loop
      const answer = await send(subject.url, request, world.tokens, answerTimeoutMs);
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      const fault = faultOf(answer);
      if (fault !== null) faults.push(`${shown(request)}\n  ${fault}`);
    } catch (error) {
      faults.push(`${shown(request)}\n  no answer: ${String(error)}`);
    }
  }
  return faults;
}

const statuses = new Map<number, number>();

/** Every endpoint, several at a time. */
async function playRound(seed: number): Promise<string[]> {
  const world = await createWorld(subject.url);
  const faults: string[] = [];
  const isLast = ({ operation }: Endpoint) => destructive.has(operation);
  for (const part of [endpoints.filter((one) => !isLast(one)), endpoints.filter(isLast)]) {
    const left = part.toReversed();
    const lane = async () => {
      for (let next = left.pop(); next; next = left.pop()) {
        // oxlint-disable-next-line no-await-in-loop
        faults.push(...(await tryEndpoint(next, world, seed)));
      }
    };
    // oxlint-disable-next-line no-await-in-loop
    await Promise.all(Array.from({ length: concurrency }, lane));
  }
  return faults;
}

test('whatever comes, the server answers, and not with an error of its own', async (t) => {
  const faults: string[] = [];
  const held: number[] = [];
  const untilMs = performance.now() + Number(secondsGiven ?? 0) * 1000;
  let rounds = 0;
  while (rounds < roundsMin || performance.now() < untilMs) {
    // oxlint-disable no-await-in-loop
    faults.push(...(await playRound(firstSeed + rounds)));
    const bytes = await subject.residentBytes();
    // oxlint-enable no-await-in-loop
    if (bytes !== null) held.push(bytes);
    rounds++;
  }
  const inMiB = held.map((bytes) => Math.round(bytes / 2 ** 20)).join(' ');
  const answers = [...statuses].toSorted(([a], [b]) => a - b).map((one) => one.join(': '));
  t.diagnostic(`seed ${firstSeed}, ${rounds} rounds; ${answers.join(', ')}; MiB held: ${inMiB}`);
  assert.deepEqual(faults, [], `seed ${firstSeed}`);
  assert.ok(held.length === 0 || held.at(-1)! - held[0]! < growthBytesMax, `grew: ${inMiB}`);
});
