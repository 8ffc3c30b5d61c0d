import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createLog } from '../../kernel/log.ts';
import { startRedis, type OwnRedis } from '../../up/redis-server.ts';
import { tryRedis } from './connect.ts';
import { createRedisTransport, type RedisTransport } from './transport.ts';

const log = createLog('error', { write: () => undefined });
let folder: string;
let redis: OwnRedis;
const open: RedisTransport[] = [];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lattice-redis-'));
  redis = await startRedis(join(folder, 'redis.sock'), log);
});
after(async () => {
  await Promise.all(open.map((each) => each.close()));
  await redis.close();
  await rm(folder, { recursive: true, force: true });
});

/** A transport, and what has arrived by it. */
async function connect(): Promise<{ transport: RedisTransport; texts: string[] }> {
  const transport = createRedisTransport(
    {
      at: { path: join(folder, 'redis.sock') },
      username: null,
      password: null,
      database: 0,
      tls: null,
      sentinel: null,
      cluster: null,
    },
    'test',
    log,
  );
  const texts: string[] = [];
  transport.listen(
    (text) => texts.push(text),
    () => undefined,
  );
  await transport.open();
  open.push(transport);
  return { transport, texts };
}

test('an echo comes after everything that was sent before it, by whomever', async () => {
  const [one, other] = await Promise.all([connect(), connect()]);
  assert.ok(one.transport.isConnected() && other.transport.isConnected());
  for (let round = 1; round <= 20; round++) {
    for (let i = 0; i < 50; i++) one.transport.send(`${round} ${i}`);
    // oxlint-disable-next-line no-await-in-loop
    await one.transport.echo();
    assert.equal(one.texts.length, round * 50);
    // oxlint-disable-next-line no-await-in-loop
    await other.transport.echo();
    assert.deepEqual(other.texts, one.texts);
  }
});

test('nobody waits for an echo that cannot come', async () => {
  const { transport } = await connect();
  const waiting = Promise.all([transport.echo(), transport.echo()]);
  await transport.close();
  await waiting;
  await transport.echo();
});

test('the admin is told why Redis cannot be used', async () => {
  const told: Record<string, unknown>[] = [];
  const options = {
    at: { path: join(folder, 'nowhere.sock') },
    username: null,
    password: null,
    database: 0,
    tls: null,
    sentinel: null,
    cluster: null,
  };
  await assert.rejects(tryRedis(options), { code: 'ENOENT' });
  const transport = createRedisTransport(
    options,
    'test',
    createLog('warn', { write: (line) => void told.push(JSON.parse(line) as never) }),
  );
  await transport.open();
  await transport.close();
  assert.match(String(told[0]!['reason']), /ENOENT/);
});
