import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import pg from 'pg';
import { joinPdu } from '../../src/matrix/event-builder.ts';
import { referenceHash } from '../../src/matrix/event-format.ts';
import type { Pdu } from '../../src/matrix/pdu.ts';
import { roomVersion } from '../../src/matrix/room-versions.ts';
import { TestClient } from '../harness/client.ts';
import { makeDataDir, ServerProcess } from '../harness/server.ts';

/** Every event of a room as it is stored. */
async function storedPdus(configPath: string, roomId: string): Promise<Pdu[]> {
  const pid = readFileSync(join(dirname(configPath), 'postgres', 'data', 'postmaster.pid'), 'utf8');
  const host = pid.split('\n')[4]!;
  const client = new pg.Client({ host, port: 5432, user: 'lattice', database: 'lattice' });
  await client.connect();
  try {
    const { rows } = await client.query<{ envelope: string; at: number; content: string }>(
      `select envelope, content_at as at, content from events
       where room_nid = (select room_nid from rooms where room_id = $1)`,
      [roomId],
    );
    return rows.map((row) => JSON.parse(joinPdu(row.envelope, row.at, row.content)) as Pdu);
  } finally {
    await client.end();
  }
}

test('events of room versions 1 and 2 carry the hashes of those they refer to', async () => {
  const { dataDir, configPaths } = await makeDataDir();
  const server = new ServerProcess(configPaths);
  try {
    await server.start();
    const alice = await TestClient.register(server.url, 'alice');
    const rooms: [string, string][] = [];
    for (const version of ['1', '2']) {
      const roomId = await alice.createRoom({ room_version: version, name: 'Old' });
      rooms.push([version, roomId]);
      const target = await alice.send(roomId, 'before');
      await alice.ok('PUT', `${alice.room(roomId)}/redact/${encodeURIComponent(target)}/r1`, {});
    }
    // From here on the room's writer has what the database says.
    await server.end('SIGTERM');
    await server.start();
    for (const [version, roomId] of rooms) {
      await alice.send(roomId, 'after', `after${version}`);
      const pdus = await storedPdus(configPaths[0]!, roomId);
      const hashes = new Map(
        pdus.map((pdu) => [pdu.event_id!, referenceHash(roomVersion(version), pdu)]),
      );
      const references = pdus.flatMap((pdu) => [...pdu.prev_events, ...pdu.auth_events]);
      assert.ok(references.length > pdus.length);
      for (const [id, { sha256 }] of references as unknown as [string, { sha256: string }][]) {
        assert.equal(sha256, hashes.get(id), id);
      }
    }
  } finally {
    await server.end('SIGTERM');
    await rm(dataDir, { recursive: true, force: true });
  }
});
