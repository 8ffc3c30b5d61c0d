import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { createLog } from '../kernel/log.ts';
import { Metrics } from '../kernel/metrics.ts';
import type { Authenticate, AuthenticateServer } from './dispatcher.ts';
import { bindEndpoints, endpoint, type DeclaredEndpoint, type Requester } from './endpoint.ts';
import { createHttpMetrics } from './http-metrics.ts';
import { createRateLimiter, type RateLimits } from './rate-limiter.ts';
import { createHttpServer, type HttpServer, type ListenerOptions } from './server.ts';

export const declare = endpoint<null>();
/** What the endpoints of these tests have in common. */
export const base = {
  auth: 'none',
  runsOn: { group: 'client', balance: 'none' },
  summary: '',
} as const;

const alice: Requester = {
  userId: '@alice:test',
  userNid: 1,
  deviceId: 'D',
  deviceNid: 1,
  tokenNid: 1,
  isGuest: false,
  isAdmin: false,
  isShadowBanned: false,
  appservice: null,
};

/** Tokens are names of these. */
export const requesters: Readonly<Record<string, Requester>> = {
  alice,
  admin: { ...alice, userId: '@admin:test', isAdmin: true },
  bridge: {
    ...alice,
    userId: '@bridge:test',
    appservice: { id: 'b', sender: '@bridge:test', rateLimited: false },
  },
};

export interface TestServer {
  server: HttpServer;
  urls: string[];
  url: string;
  port: number;
  /** Lines of the log, parsed. */
  logged: Record<string, unknown>[];
  metrics: Metrics;
}

export const loopback: ListenerOptions = {
  at: { port: 0, addresses: ['127.0.0.1'] },
  resources: ['client'],
  tls: null,
  isForwarded: false,
};

export interface TestServerOptions {
  listeners?: ListenerOptions[];
  limits?: RateLimits;
  authenticate?: Authenticate;
  authenticateServer?: AuthenticateServer;
  now?: () => number;
}

/** The parts of a server on free ports that is closed after the test. */
export async function startTestServer(
  t: TestContext,
  declared: readonly DeclaredEndpoint<null>[],
  options: TestServerOptions = {},
): Promise<TestServer> {
  const logged: Record<string, unknown>[] = [];
  const log = createLog('debug', {
    write: (line: string) => void logged.push(JSON.parse(line) as Record<string, unknown>),
  });
  const metrics = new Metrics();
  const authenticate: Authenticate = (token) => requesters[token ?? ''] ?? alice;
  const server = createHttpServer(options.listeners ?? [loopback], bindEndpoints(declared, null), {
    authenticate: options.authenticate ?? authenticate,
    authenticateServer: options.authenticateServer ?? (async () => 'remote.example'),
    limiter: createRateLimiter(options.limits ?? {}, { now: options.now ?? (() => 0) }),
    log,
    metrics: createHttpMetrics(metrics),
  });
  t.after(() => server.close(0));
  const urls = await server.listen();
  const url = urls[0] ?? '';
  const port = url.startsWith('http') ? Number(new URL(url).port) : 0;
  return { server, urls, url, port, logged, metrics };
}

/** Everything the other side sends until it closes. An error counts as closing. */
export function readAll(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => (text += chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
  });
}

/** Sends bytes as they are; gives all that comes back until the server closes. */
export function exchange(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  const answer = readAll(socket);
  socket.write(text);
  return answer;
}

/** A promise with its two ends. */
export function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  const { promise, resolve } = Promise.withResolvers<T>();
  return { promise, resolve };
}
