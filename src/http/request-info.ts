import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestInfo } from './endpoint.ts';

let count = 0;

function tokenOf(req: IncomingMessage, query: Record<string, unknown>): string | null {
  const { authorization } = req.headers;
  if (authorization?.startsWith('Bearer ')) return authorization.slice(7).trim();
  const inQuery = query['access_token'];
  return typeof inQuery === 'string' ? inQuery : null;
}

function addressOf(req: IncomingMessage, isForwarded: boolean): string {
  if (isForwarded) {
    const forwarded = req.headers['x-forwarded-for'];
    const first = (Array.isArray(forwarded) ? forwarded[0] : forwarded)?.split(',')[0]?.trim();
    if (first) return first;
  }
  return req.socket.remoteAddress ?? '';
}

/** What handlers know of a request. The abort signal is only made when somebody looks at it. */
export class IncomingRequest implements RequestInfo {
  readonly id: string;
  readonly method: string;
  readonly url: string;
  readonly remoteAddress: string;
  readonly userAgent: string;
  readonly headers: IncomingMessage['headers'];
  readonly accessToken: string | null;
  readonly #res: ServerResponse;
  readonly #stopping: AbortSignal;
  #signal: AbortSignal | null = null;

  constructor(
    req: IncomingMessage,
    res: ServerResponse,
    query: Record<string, unknown>,
    options: { isForwarded: boolean; stopping: AbortSignal },
  ) {
    this.method = req.method ?? 'GET';
    this.id = `${this.method}-${++count}`;
    this.url = req.url ?? '/';
    this.remoteAddress = addressOf(req, options.isForwarded);
    this.userAgent = req.headers['user-agent'] ?? '';
    this.headers = req.headers;
    this.accessToken = tokenOf(req, query);
    this.#res = res;
    this.#stopping = options.stopping;
  }

  get signal(): AbortSignal {
    if (this.#signal) return this.#signal;
    const controller = new AbortController();
    this.#signal = controller.signal;
    const abort = () => controller.abort();
    if (this.#stopping.aborted || this.#res.destroyed) abort();
    this.#stopping.addEventListener('abort', abort, { once: true });
    this.#res.once('close', () => {
      this.#stopping.removeEventListener('abort', abort);
      // Aborting costs an exception; after a whole answer nobody listens any more.
      if (!this.#res.writableFinished) abort();
    });
    return this.#signal;
  }
}
