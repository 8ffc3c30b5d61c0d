import { createServer, type Server, type Socket } from 'node:net';
import type { Log } from '../../kernel/log.ts';
import { toWireFailure } from './failure.ts';
import { framesOver } from './frames.ts';
import { linkWish } from './offer-link.ts';
import { isProof, newNonce } from './proof.ts';

/** A call as it arrives: its number, and what is called. */
export interface Call {
  role: string;
  shard: number;
  method: string;
  args: unknown;
}

/** Thrown by `handle` when this process does not hold the shard: nothing was done. */
export class NotHeldHere extends Error {
  constructor() {
    super('this process does not hold the shard');
    this.name = 'NotHeldHere';
  }
}

/** A caller's machine that vanished says no word: so long after the last one it is asked for one. */
const keepAliveMs = 30_000;
/** How long a caller has to prove itself. */
const proofMsMax = 5_000;

/** The kinds of answers: a result, an error, or that nothing was done here. */
export const answered = 0;
export const failed = 1;
export const refused = 2;

export interface RpcServer {
  server: Server;
  close(): Promise<void>;
}

/**
 * Answers calls of other processes of the server, which know the secret. `takeLink` gets the
 * connections that callers want for something else.
 */
export function createRpcServer(
  secret: string,
  handle: (call: Call) => Promise<unknown>,
  log: Log,
  takeLink: ((socket: Socket) => void) | null = null,
): RpcServer {
  const sockets = new Set<Socket>();

  function accept(socket: Socket): void {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, keepAliveMs);
    socket.on('error', () => undefined);
    const nonce = newNonce();
    let isTrusted = false;
    const timer = setTimeout(() => {
      if (!isTrusted) socket.destroy();
    }, proofMsMax);
    socket.on('close', () => {
      sockets.delete(socket);
      clearTimeout(timer);
    });
    const frames = framesOver(socket, (value) => {
      if (isTrusted && value === linkWish) {
        if (!takeLink) {
          socket.destroy();
          return;
        }
        frames.write(linkWish);
        frames.detach();
        takeLink(socket);
        return;
      }
      if (isTrusted) {
        void answer(value as [number, string, number, string, unknown]);
        return;
      }
      isTrusted = isProof(secret, nonce, value);
      if (isTrusted) return;
      log.warn('a call between processes was refused: it did not know the secret');
      socket.destroy();
    });
    frames.write(nonce);

    async function answer([id, role, shard, method, args]: [
      number,
      string,
      number,
      string,
      unknown,
    ]): Promise<void> {
      try {
        frames.write([id, answered, (await handle({ role, shard, method, args })) ?? null]);
      } catch (error) {
        const kind = error instanceof NotHeldHere ? refused : failed;
        frames.write([id, kind, toWireFailure(error)]);
      }
    }
  }

  const server = createServer(accept);
  return {
    server,
    async close() {
      for (const socket of sockets) socket.destroy();
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    },
  };
}
