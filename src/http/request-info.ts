import type { HttpRequest, HttpResponse } from './exchange.ts';
import type { RequestInfo } from './endpoint.ts';
import type { Stopping, Told } from './stopping.ts';

let count = 0;

function tokenOf(req: HttpRequest, query: Record<string, unknown>): string | null {
  const { authorization } = req.headers;
  if (authorization?.startsWith('Bearer ')) return authorization.slice(7).trim();
  const inQuery = query['access_token'];
  return typeof inQuery === 'string' ? inQuery : null;
}

function addressOf(req: HttpRequest, isForwarded: boolean): string {
  if (isForwarded) {
    const forwarded = req.headers['x-forwarded-for'];
    const first = (Array.isArray(forwarded) ? forwarded[0] : forwarded)?.split(',')[0]?.trim();
    if (first) return first;
  }
  return req.socket.remoteAddress ?? '';
}

/** What handlers know of a request. */
export class IncomingRequest implements RequestInfo {
  readonly id: string;
  readonly method: string;
  readonly url: string;
  readonly remoteAddress: string;
  readonly userAgent: string;
  readonly headers: HttpRequest['headers'];
  readonly accessToken: string | null;
  readonly #res: HttpResponse;
  readonly #stopping: Stopping;
  #told: Told | null = null;

  constructor(
    req: HttpRequest,
    res: HttpResponse,
    query: Record<string, unknown>,
    options: { isForwarded: boolean; stopping: Stopping },
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

  get isGone(): boolean {
    return this.#stopping.isStopping || this.#res.destroyed;
  }

  onGone(listener: () => void): void {
    const tell = () => {
      this.offGone();
      listener();
    };
    this.#told = { slot: -1, tell };
    this.#stopping.add(this.#told);
    this.#res.on('close', tell);
  }

  offGone(): void {
    if (!this.#told) return;
    this.#stopping.delete(this.#told);
    this.#res.off('close', this.#told.tell);
    this.#told = null;
  }
}
