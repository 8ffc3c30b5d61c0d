import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import type { Json } from './client.ts';

/** A process of a set, reached past the router. */
export interface Worker {
  name: string;
  socketPath: string;
}

/** The processes of a set that was started with `startWorkerSet`. */
export async function workersOf(dataDir: string): Promise<Worker[]> {
  const folder = join(dataDir, 'data', 'run');
  const sockets = (await readdir(folder)).filter((name) => /^\w+\.\d+\.sock$/.test(name));
  return sockets.map((name) => ({
    name: name.split('.')[0]!,
    socketPath: join(folder, name),
  }));
}

/** Asks a worker itself. */
export function ask(
  { socketPath }: Worker,
  method: string,
  path: string,
  token: string | null,
  body?: unknown,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = token === null ? {} : { Authorization: `Bearer ${token}` };
    const req = request({ socketPath, method, path, headers });
    req.on('error', reject);
    req.on('response', (res) => {
      let text = '';
      res.setEncoding('utf8');
      res.on('data', (chunk) => (text += String(chunk)));
      res.on('end', () => resolve({ status: res.statusCode ?? 0, text }));
    });
    req.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** The body of a worker's answer that must be 200. */
export async function askOk(...question: Parameters<typeof ask>): Promise<Json> {
  const [worker, method, path] = question;
  const { status, text } = await ask(...question);
  assert.equal(status, 200, `${worker.name}: ${method} ${path}: ${text}`);
  return JSON.parse(text) as Json;
}

/** The process whose command line has all the words. */
export async function findProcess(...words: string[]): Promise<number> {
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    // oxlint-disable-next-line no-await-in-loop
    const line = await readFile(join('/proc', name, 'cmdline'), 'utf8').catch(() => '');
    if (words.every((word) => line.includes(word))) return Number(name);
  }
  throw new Error(`no process with ${words.join(' ')}`);
}
