import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest('hex');
const hmac = (key: string | Buffer, data: string) =>
  createHmac('sha256', key).update(data).digest();

/** Whether a request is signed with the secret (AWS Signature Version 4), and its body is what was signed. */
function isSigned(req: IncomingMessage, body: Buffer, secret: string): boolean {
  const header = /^AWS4-HMAC-SHA256 Credential=([^,]+), SignedHeaders=([^,]+), Signature=(\w+)$/;
  const [, credential = '', names = '', signature] =
    header.exec(req.headers.authorization ?? '') ?? [];
  const [, day = '', region = '', service = ''] = credential.split('/');
  const bodyHash = String(req.headers['x-amz-content-sha256']);
  const headers = names.split(';').map((name) => `${name}:${String(req.headers[name])}\n`);
  const request = [req.method, req.url, '', headers.join(''), names, bodyHash].join('\n');
  const scope = `${day}/${region}/${service}/aws4_request`;
  const time = String(req.headers['x-amz-date']);
  const text = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${sha256(request)}`;
  const key = hmac(hmac(hmac(hmac(`AWS4${secret}`, day), region), service), 'aws4_request');
  return hmac(key, text).toString('hex') === signature && sha256(body) === bodyHash;
}

/** A small object store for tests, which believes only what is signed. */
export async function startTestObjectStore(secretAccessKey: string) {
  const objects = new Map<string, Buffer>();
  /** Answered instead of the next requests. */
  const failures: number[] = [];
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const body = Buffer.concat(chunks);
      const key = req.url ?? '';
      const failure = isSigned(req, body, secretAccessKey) ? failures.shift() : 403;
      if (failure !== undefined) {
        res.writeHead(failure).end('<Error/>');
        return;
      }
      const found = objects.get(key);
      if (req.method === 'PUT') {
        objects.set(key, body);
        res.writeHead(200).end();
      } else if (req.method === 'DELETE') {
        objects.delete(key);
        res.writeHead(204).end();
      } else if (!found) res.writeHead(404).end();
      else {
        const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(req.headers.range ?? '') ?? [];
        if (start === undefined) res.writeHead(200).end(found);
        else res.writeHead(206).end(found.subarray(Number(start), Number(end) + 1));
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    objects,
    failures,
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
