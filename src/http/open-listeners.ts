import { chmod, lstat, unlink } from 'node:fs/promises';
import { createServer as createPlainServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Log } from '../kernel/log.ts';
import type { Resource } from './endpoint.ts';

/** Where a server listens and what it offers there. */
export interface ListenerOptions {
  /** A port with addresses, or a unix socket with its file mode. */
  at: { port: number; addresses: readonly string[] } | { path: string; mode: number };
  resources: readonly Resource[];
  /** PEM texts. */
  tls: { certificate: string; key: string } | null;
  /** Behind a proxy: the client's address is in X-Forwarded-For. */
  isForwarded: boolean;
}

/** Listeners that are open or to be opened. */
export interface Listeners {
  /** Opens all; gives their URLs. When one cannot be opened, none stays open. */
  listen(): Promise<string[]>;
  /** Stops accepting and waits for requests at most this long. */
  close(graceMs: number): Promise<void>;
}

/** A request's headers must be there by then; slow clients hold no resources for longer. */
const headersTimeoutMs = 30_000;
/** Large uploads over slow connections take long; who receives one gives up silent clients. */
const requestTimeoutMs = 30 * 60_000;
const keepAliveMs = 75_000;
/** While the server stops, connections that have become idle are closed this often. */
const closeIdleMs = 50;

/** A socket that an earlier process has left behind; anything else at that path is not ours. */
async function removeOldSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => null);
  if (found?.isSocket()) await unlink(path);
}

/** Listeners whose requests go to what `answer` gives for each. */
export function createListeners(
  listeners: readonly ListenerOptions[],
  answer: (listener: ListenerOptions) => RequestListener,
  log: Log,
): Listeners {
  const servers: Server[] = [];

  function serverFor(listener: ListenerOptions): Server {
    const options = {
      keepAliveTimeout: keepAliveMs,
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      noDelay: true,
    };
    const { tls } = listener;
    const server = tls
      ? createTlsServer({ ...options, cert: tls.certificate, key: tls.key })
      : createPlainServer(options);
    server.on('request', answer(listener));
    // Without a listener an error in accepting, such as too many open files, would end the process.
    server.on('error', (error) => {
      if (server.listening) log.error({ err: error }, 'a listener failed');
    });
    servers.push(server);
    return server;
  }

  async function open(server: Server, at: object): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(at, () => {
        server.off('error', reject);
        resolve();
      });
    });
  }

  async function listenAt(listener: ListenerOptions): Promise<string[]> {
    const { at, tls } = listener;
    if ('path' in at) {
      await removeOldSocket(at.path);
      await open(serverFor(listener), { path: at.path });
      await chmod(at.path, at.mode);
      return [`unix:${at.path}`];
    }
    const scheme = tls ? 'https' : 'http';
    return Promise.all(
      at.addresses.map(async (host) => {
        const server = serverFor(listener);
        await open(server, { port: at.port, host });
        const { port } = server.address() as AddressInfo;
        return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
      }),
    );
  }

  async function close(graceMs: number): Promise<void> {
    const closed = servers.map(
      (server) => new Promise<void>((resolve) => server.close(() => resolve())),
    );
    const idle = setInterval(() => {
      for (const server of servers) server.closeIdleConnections();
    }, closeIdleMs);
    const grace = setTimeout(() => {
      for (const server of servers) server.closeAllConnections();
    }, graceMs);
    await Promise.all(closed);
    clearInterval(idle);
    clearTimeout(grace);
  }

  return {
    async listen() {
      const opened = await Promise.allSettled(listeners.map(listenAt));
      const failed = opened.find((result) => result.status === 'rejected');
      if (failed) {
        await close(0);
        throw failed.reason;
      }
      return opened.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
    },
    close,
  };
}
