import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { createRpcClient } from '../../src/cluster/rpc/client.ts';
import { shardOf } from '../../src/cluster/role.ts';
import { eventWriterRole } from '../../src/rooms/module.ts';
import { buildRemoteEvent, type RemoteWish } from './remote-events.ts';
import type { RemoteServer } from './remote-server.ts';

/** The database of a worker set, or of a server, with its data in a folder. */
export async function databaseOf(dataDir: string): Promise<pg.Client> {
  const path = join(dataDir, 'data', 'postgres', 'data', 'postmaster.pid');
  const host = (await readFile(path, 'utf8')).split('\n')[4]!;
  const client = new pg.Client({ host, port: 5432, user: 'lattice', database: 'lattice' });
  await client.connect();
  return client;
}

/**
 * Gives an event of another server to the room's writer in a worker set, as the process that it came to
 * would.
 */
export async function receiveInSet(
  sql: pg.Client,
  remote: RemoteServer,
  roomId: string,
  wish: RemoteWish,
): Promise<void> {
  const event = await buildRemoteEvent(sql, remote, roomId, wish);
  const shard = shardOf(eventWriterRole, roomId);
  const { rows } = await sql.query<{ address: string; secret: string }>(
    `select w.address, s.secret from leases l join workers w on w.instance = l.holder
       cross join cluster_secret s where l.role = $1 and l.shard = $2`,
    [eventWriterRole.name, shard],
  );
  const { address, secret } = rows[0]!;
  const client = createRpcClient(secret);
  try {
    const args = { roomId, events: [event] };
    const call = { role: eventWriterRole.name, shard, method: 'receive', args };
    const [received] = (await client.call(address, call)) as { outcome: string; reason: string }[];
    assert.equal(received!.outcome, 'accepted', received!.reason);
  } finally {
    client.close();
  }
}
