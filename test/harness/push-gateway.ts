import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Json } from './client.ts';

/** A push gateway that remembers what it is told. */
export interface PushGateway {
  /** For `data.url` of pushers. */
  url: string;
  /** What came for a pushkey, in order. */
  pushes(pushkey: string): Json[];
  /** Answers with this status from now on. */
  answerWith(status: number): void;
  /** Rejects the pushkey from now on. */
  reject(pushkey: string): void;
  close(): Promise<void>;
}

export async function startPushGateway(): Promise<PushGateway> {
  const byKey = new Map<string, Json[]>();
  const rejected = new Set<string>();
  let status = 200;
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const { notification } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Json;
      const key = notification.devices[0].pushkey as string;
      byKey.set(key, [...(byKey.get(key) ?? []), notification as Json]);
      res.writeHead(status, { 'Content-Type': 'application/json' });
      res.end(JSON.stringify({ rejected: rejected.has(key) ? [key] : [] }));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/_matrix/push/v1/notify`,
    pushes: (pushkey) => byKey.get(pushkey) ?? [],
    answerWith: (next) => void (status = next),
    reject: (pushkey) => void rejected.add(pushkey),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
