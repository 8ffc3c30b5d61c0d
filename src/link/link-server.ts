import type { IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import type { HttpResponse, WholeRequest } from '../http/exchange.ts';
import { frameWriter, kinds, MalformedFrame, readFrames, type Frame } from './frames.ts';
import { LinkedResponse } from './linked-response.ts';
import { watchPeer } from './watch-peer.ts';

/** Answers a request. Must not throw. */
export type AnswerLinked = (req: WholeRequest, res: HttpResponse) => void;

/** The worker's ends of links. */
export interface LinkServer {
  /** Takes over a connection that has proven itself. */
  accept(socket: Socket): void;
  /** Takes nothing new and waits for what is under way, at most so long. */
  close(graceMs: number): Promise<void>;
}

function requestOf({ head, body }: Frame): WholeRequest {
  const [method, url, headers] = JSON.parse(head) as [string, string, IncomingHttpHeaders];
  return {
    method,
    url,
    headers,
    wholeBody: body,
    // The router names the client in X-Forwarded-For.
    socket: {},
    complete: true,
    destroyed: false,
  };
}

/** Answers the requests of routers, many at once over each one's connection. */
export function createLinkServer(answer: AnswerLinked): LinkServer {
  const sockets = new Map<Socket, () => void>();
  let isClosing = false;

  function accept(socket: Socket): void {
    const open = new Map<number, LinkedResponse>();
    const frames = frameWriter(socket);
    const goAway = () => {
      frames.write(kinds.goAway, 0);
      frames.flush();
    };
    sockets.set(socket, goAway);

    function take(frame: Frame): void {
      const { kind, exchange, body } = frame;
      if (kind === kinds.request) {
        const req = requestOf(frame);
        const res = new LinkedResponse(req, exchange, frames, () => open.delete(exchange));
        open.set(exchange, res);
        answer(req, res);
        return;
      }
      if (kind === kinds.beat) return;
      const res = open.get(exchange);
      if (kind === kinds.cancel) res?.cancelled();
      else if (kind === kinds.credit) res?.credit(body.readUInt32BE(0));
      else throw new MalformedFrame('a router does not send this');
    }

    readFrames(socket, take);
    watchPeer(socket, frames);
    socket.on('close', () => {
      sockets.delete(socket);
      for (const res of open.values()) res.cancelled();
    });
    if (isClosing) goAway();
  }

  return {
    accept,
    async close(graceMs) {
      isClosing = true;
      const all = [...sockets];
      // The router closes a link when all that it has sent is answered.
      const closed = all.map(
        ([socket]) => new Promise<void>((resolve) => socket.once('close', () => resolve())),
      );
      for (const [, goAway] of all) goAway();
      const grace = setTimeout(() => {
        for (const [socket] of all) socket.destroy();
      }, graceMs);
      await Promise.all(closed);
      clearTimeout(grace);
    },
  };
}
