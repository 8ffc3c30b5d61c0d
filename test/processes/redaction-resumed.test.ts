import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { test } from 'node:test';
import { registerAdmin } from '../harness/admin.ts';
import { TestClient, type Json } from '../harness/client.ts';
import { eventually } from '../harness/eventually.ts';
import { makeDataDir, onceOnly, ServerProcess } from '../harness/server.ts';

const messages = 600;
const lanes = 8;
/** Of one page of history. */
const pageMax = 1_000;

test(
  'redacting what a user has sent goes on after kill -9, and nothing is redacted twice',
  onceOnly,
  async () => {
    const { dataDir, configPaths } = await makeDataDir(
      'rc_message: {per_second: 10000, burst_count: 10000}',
    );
    const server = new ServerProcess(configPaths);
    try {
      await server.start();
      const [admin, user] = [
        await registerAdmin(server.url),
        await TestClient.register(server.url),
      ];
      const roomId = await user.createRoom();
      const lane = async (n: number) => {
        for (let i = n; i < messages; i += lanes) {
          // oxlint-disable-next-line no-await-in-loop
          await user.send(roomId, `m${i}`, `t${i}`);
        }
      };
      await Promise.all(Array.from({ length: lanes }, (_, n) => lane(n)));
      const api = '/_synapse/admin/v1/user';
      const { redact_id: id } = await admin.ok('POST', `${api}/${user.userId}/redact`, {
        rooms: [],
      });
      await eventually(async () => {
        const { status } = await admin.ok('GET', `${api}/redact_status/${id}`);
        assert.notEqual(status, 'scheduled');
      });
      await server.end('SIGKILL');
      await server.start();
      await eventually(async () => {
        const answer = await admin.ok('GET', `${api}/redact_status/${id}`);
        assert.deepEqual(answer, { status: 'complete', failed_redactions: {} });
      }, 1_000);
      const redacted: string[] = [];
      let from: string | undefined;
      do {
        const more = from === undefined ? '' : `&from=${from}`;
        const path = `${user.room(roomId)}/messages?dir=b&limit=${pageMax}${more}`;
        // oxlint-disable-next-line no-await-in-loop
        const page = await user.ok('GET', path);
        for (const { type, content } of page['chunk'] as Json[]) {
          if (type === 'm.room.redaction') redacted.push(content.redacts as string);
          if (type === 'm.room.message') assert.deepEqual(content, {});
        }
        from = page['end'] as string | undefined;
      } while (from !== undefined);
      assert.equal(redacted.length, messages + 1, 'the messages and the join');
      assert.equal(new Set(redacted).size, redacted.length);
    } finally {
      await server.end('SIGTERM');
      await rm(dataDir, { recursive: true, force: true });
    }
  },
);
