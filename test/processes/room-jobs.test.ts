import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import type pg from 'pg';
import { shardOf } from '../../src/cluster/role.ts';
import type { RunningSet } from '../../src/up/start-up.ts';
import { registerAdmin } from '../harness/admin.ts';
import { TestClient } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { databaseOf } from '../harness/remote-members.ts';
import { onceOnly } from '../harness/server.ts';
import { startWorkerSet } from '../harness/topology.ts';

/** More than is deleted before the test has looked who does it. */
const rowsMany = 150_000;
const triesMax = 4_000;

describe('the deletion of a room', onceOnly, () => {
  let set: RunningSet;
  let dataDir: string;
  let sql: pg.Client;

  before(async () => {
    ({ set, dataDir } = await startWorkerSet('', 'workers: {generic_worker: 2}\n'));
    sql = await databaseOf(dataDir);
  });
  after(async () => {
    await sql.end();
    await set.close();
    await rm(dataDir, { recursive: true });
  });

  it('is finished by another process when the one that does it is killed', async () => {
    const url = set.urls[0]!;
    const [admin, alice] = [await registerAdmin(url), await TestClient.register(url, 'alice')];
    const roomId = await alice.createRoom({});
    const { rows } = await sql.query<{ nid: string }>(
      'select room_nid as nid from rooms where room_id = $1',
      [roomId],
    );
    const nid = Number(rows[0]!.nid);
    await sql.query(
      `insert into events (room_nid, event_nid, event_id, type_nid, sender_nid, origin_server_ts,
           depth, content, envelope, content_at)
         select $1, -n, '$old' || n, 1, 1, 1, 1, '{}', '{}', 1
         from generate_series(1, ${rowsMany}) as n`,
      [nid],
    );
    const left = async () => {
      const counted = await sql.query<{ left: string }>(
        'select count(*) as left from events where room_nid = $1',
        [nid],
      );
      return Number(counted.rows[0]!.left);
    };
    const path = `/_synapse/admin/v2/rooms/${encodeURIComponent(roomId)}`;
    const { delete_id: id } = await admin.ok('DELETE', path, {});
    await eventually(async () => assert.ok((await left()) < rowsMany), triesMax);
    const holder = await sql.query<{ name: string }>(
      `select w.name from leases l join workers w on w.instance = l.holder
       where l.role = 'room_jobs' and l.shard = $1`,
      [shardOf({ shards: 8 }, roomId)],
    );
    process.kill(set.pids().get(holder.rows[0]!.name)!, 'SIGKILL');
    assert.ok((await left()) > 0, 'it was killed before the end');
    await eventually(async () => {
      const status = await admin.ok('GET', `/_synapse/admin/v2/rooms/delete_status/${id}`);
      assert.equal(status['status'], 'complete');
    }, triesMax);
    assert.equal(await left(), 0);
  });
});
