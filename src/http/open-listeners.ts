import { chmod, lstat, unlink } from 'node:fs/promises';
import { createServer as createPlainServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, type AddressInfo } from 'node:net';
import type { Log } from '../kernel/log.ts';
import { tcpAddress } from '../kernel/tcp-address.ts';
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

/** Whether somebody takes connections at a socket. */
function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

/** A socket that an earlier process has left behind; anything else at that path is not ours. */
export async function removeOldSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => null);
  if (found?.isSocket() && !(await isListening(path))) await unlink(path);
}

/** An address with a port, or a unix socket. */
export type Place = { port: number; host: string } | { path: string };

const meanings: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there',
  EADDRNOTAVAIL: 'this machine has no such address',
  EACCES: 'this user may not listen there',
};

/** `127.0.0.1:8008`, `[::1]:8008` or a path. */
export const placeText = (at: Place): string =>
  'path' in at ? at.path : tcpAddress(at.host, at.port);

/** What an error in listening means, for people; its `code` stays. */
export function listenError(error: NodeJS.ErrnoException, at: Place): Error {
  const { code = '' } = error;
  // The operating system's word for a folder that is not there.
  const isFolder = 'path' in at && (code === 'EACCES' || code === 'ENOENT');
  const meaning = isFolder ? 'its folder is not there or not writable' : meanings[code];
  const text = meaning === undefined ? error.message : `${meaning} (${code})`;
  return Object.assign(new Error(`cannot listen at ${placeText(at)}: ${text}`), { code });
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

  async function open(server: Server, at: Place): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(listenError(error, at)));
      server.listen(at, resolve);
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
        return `${scheme}://${tcpAddress(host, port)}`;
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
