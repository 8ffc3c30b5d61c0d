import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type { ListenerOptions } from '../http/open-listeners.ts';
import { createLog } from '../kernel/log.ts';
import { Metrics } from '../kernel/metrics.ts';
import { defaultRoutingSettings, type WorkerApp } from '../routing/apps.ts';
import { createClassifier } from '../routing/classify.ts';
import { routeTable } from '../routing/table.ts';
import type { UpstreamOptions } from '../routing/upstream.ts';
import { createRouter, type Router, type RouterOptions } from './router.ts';

export type Answer = (req: IncomingMessage, res: ServerResponse) => unknown;

/** A server that stands for a worker. */
export interface TestWorker extends UpstreamOptions {
  server: Server;
  /** Requests it got, `/health` not among them. */
  requests: IncomingMessage[];
  /** Breaks all connections and takes no more. */
  kill(): Promise<void>;
  /** Listens again where it did. */
  revive(): Promise<void>;
}

/** Answers with the worker's name and what came. */
function echo(id: string): Answer {
  return (req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const { method, url, headers } = req;
      const body = Buffer.concat(chunks).toString();
      const text = JSON.stringify({ id, method, url, headers, body });
      res.writeHead(200, { 'Content-Type': 'application/json' });
      res.end(text);
    });
  };
}

export async function startTestWorker(
  t: TestContext,
  id: string,
  answer: Answer = echo(id),
  options: { app?: WorkerApp; socketPath?: string } = {},
): Promise<TestWorker> {
  const { app = 'generic_worker', socketPath } = options;
  const requests: IncomingMessage[] = [];
  const server = createServer((req, res) => {
    res.on('error', () => undefined);
    if (req.url === '/health') {
      res.end('OK');
      return;
    }
    requests.push(req);
    answer(req, res);
  });
  const listen = (at: object) =>
    new Promise<void>((resolve) => {
      server.listen(at, resolve);
    });
  const kill = () =>
    new Promise<void>((resolve) => {
      if (server.listening) server.close(() => resolve());
      else resolve();
      server.closeAllConnections();
    });
  await listen(socketPath ? { path: socketPath } : { port: 0, host: '127.0.0.1' });
  t.after(kill);
  const address = socketPath
    ? { socketPath }
    : { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  const revive = () => listen(socketPath ? { path: socketPath } : address);
  return { id, app, address, state: 'live', server, requests, kill, revive };
}

export const loopback: ListenerOptions = {
  at: { port: 0, addresses: ['127.0.0.1'] },
  resources: ['client', 'federation', 'media', 'admin', 'health', 'metrics'],
  tls: null,
  isForwarded: false,
};

export interface TestRouter {
  router: Router;
  url: string;
  port: number;
  metrics: Metrics;
  /** Lines of the log, parsed. */
  logged: Record<string, unknown>[];
}

/** A router on a free port that is closed after the test. */
export async function startTestRouter(
  t: TestContext,
  upstreams: readonly UpstreamOptions[],
  options: Partial<RouterOptions> = {},
): Promise<TestRouter> {
  const settings = defaultRoutingSettings;
  const metrics = new Metrics();
  const logged: Record<string, unknown>[] = [];
  const log = createLog('debug', {
    write: (line: string) => void logged.push(JSON.parse(line) as Record<string, unknown>),
  });
  const router = createRouter({
    listeners: [loopback],
    classify: createClassifier(routeTable([], settings), settings),
    log,
    metrics,
    upstreams,
    ...options,
  });
  const urls = await router.listen();
  t.after(() => router.close(0));
  const url = urls[0]!;
  return {
    router,
    url,
    port: url.startsWith('http') ? Number(new URL(url).port) : 0,
    metrics,
    logged,
  };
}
