import type { IncomingMessage, ServerResponse } from 'node:http';
import { parse as parseQuery } from 'node:querystring';
import FindMyWay from 'find-my-way';
import { MatrixError } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import { corsHeaders } from './cors.ts';
import type { Endpoint, Requester, Resource } from './endpoint.ts';
import type { HttpMetrics } from './http-metrics.ts';
import type { RateLimiter } from './rate-limiter.ts';
import { ClientGone, parseJsonObject, readBody } from './read-body.ts';
import { IncomingRequest } from './request-info.ts';
import { respond } from './respond.ts';
import { createValidator } from './validation.ts';

/** Finds out who sends a request; synchronous when it is known already. */
export type Authenticate = (
  token: string | null,
  query: Record<string, string | undefined>,
  origin: { remoteAddress: string; userAgent: string },
  options: { guests: boolean; locked: boolean },
) => Requester | Promise<Requester>;

export interface DispatcherNeeds {
  authenticate: Authenticate;
  limiter: RateLimiter;
  log: Log;
  metrics: HttpMetrics;
  /** Aborted when the server stops: long polls end. */
  stopping: AbortSignal;
}

/** Locked users may still log out (client-server spec, "Account locking"). */
const openToLocked = new Set(['logout', 'logoutAll', 'logout_all']);

type Handler = (exchange: Exchange) => Promise<void>;

interface Exchange {
  req: IncomingMessage;
  res: ServerResponse;
  params: Record<string, string>;
  query: Record<string, string | undefined>;
  request: IncomingRequest;
}

const noBody = Object.freeze({});

function createHandler(endpoint: Endpoint, needs: DispatcherNeeds): Handler {
  const checkQuery = createValidator(endpoint.query, 'query');
  const checkBody = createValidator(endpoint.body, 'body');
  const { auth, rateLimit, bodyMode, bodyBytesMax } = endpoint;
  const options = {
    guests: auth === 'guest' || auth === 'optional',
    locked: openToLocked.has(endpoint.operation),
  };
  const isOpen = auth === 'none' || auth === 'server';

  async function requesterOf({ query, request }: Exchange): Promise<Requester | null> {
    if (isOpen) return null;
    if (auth === 'optional' && request.accessToken === null) return null;
    const found = needs.authenticate(request.accessToken, query, request, options);
    const requester = found instanceof Promise ? await found : found;
    if (auth === 'admin' && !requester.isAdmin) {
      throw new MatrixError('M_FORBIDDEN', 'You are not a server admin');
    }
    if (auth === 'appservice' && !requester.appservice) {
      throw new MatrixError('M_FORBIDDEN', 'This is for application services only');
    }
    return requester;
  }

  async function bodyOf(req: IncomingMessage): Promise<Record<string, unknown>> {
    if (bodyMode === 'none') return noBody;
    const bytes = await readBody(req, bodyBytesMax);
    if (bytes.length === 0 && bodyMode === 'optional') return {};
    return parseJsonObject(bytes);
  }

  return async (exchange) => {
    const { req, res, params, query, request } = exchange;
    const requester = await requesterOf(exchange);
    if (rateLimit !== 'none' && requester?.appservice?.rateLimited !== false) {
      needs.limiter.take(rateLimit, requester?.userId ?? request.remoteAddress);
    }
    const body = await bodyOf(req);
    checkQuery(query);
    checkBody(body);
    const context = { params, query, body, requester, request, raw: { req, res } };
    const answer = await endpoint.handle(context);
    if (!res.headersSent) await respond(res, answer, request.id);
  };
}

/** Longest path segment that is looked at, in characters. */
const segmentMax = 2048;

/** Gives each request of a listener to its endpoint, and each error its answer. */
export class Dispatcher {
  readonly #router = FindMyWay({
    maxParamLength: segmentMax,
    ignoreTrailingSlash: true,
    caseSensitive: true,
  });
  readonly #needs: DispatcherNeeds;
  readonly #isForwarded: boolean;
  readonly #methods = new Set<string>();

  constructor(
    endpoints: readonly Endpoint[],
    needs: DispatcherNeeds,
    listener: { resources: ReadonlySet<Resource>; isForwarded: boolean },
  ) {
    this.#needs = needs;
    this.#isForwarded = listener.isForwarded;
    for (const endpoint of endpoints) {
      if (!listener.resources.has(endpoint.resource)) continue;
      const handler = createHandler(endpoint, needs);
      const store = { endpoint, handler };
      this.#methods.add(endpoint.method);
      for (const path of endpoint.paths) this.#router.on(endpoint.method, path, unused, store);
    }
  }

  /** Never throws, never rejects. */
  async dispatch(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/' } = req;
    if (method === 'OPTIONS') {
      res.writeHead(204, corsHeaders);
      res.end();
      return;
    }
    const mark = url.indexOf('?');
    const path = mark === -1 ? url : url.slice(0, mark);
    const query = (mark === -1 ? {} : { ...parseQuery(url.slice(mark + 1)) }) as Exchange['query'];
    const options = { isForwarded: this.#isForwarded, stopping: this.#needs.stopping };
    const request = new IncomingRequest(req, res, query, options);
    const wanted = method === 'HEAD' ? 'GET' : method;
    const found = this.#router.find(wanted as 'GET', path);
    const started = performance.now();
    const store = found?.store as { endpoint: Endpoint; handler: Handler } | undefined;
    try {
      if (!found || !store) throw this.#unrecognised(wanted, path);
      const params = found.params as Record<string, string>;
      await store.handler({ req, res, params, query, request });
    } catch (error) {
      await this.#fail(error, res, request);
    }
    const operation = store?.endpoint.operation ?? 'unrecognized';
    const ms = performance.now() - started;
    this.#needs.metrics.observe(method, operation, res.statusCode, ms / 1000);
    if (this.#needs.log.isLevelEnabled('debug')) {
      this.#needs.log.debug(
        { request: request.id, operation, status: res.statusCode, ms: Math.round(ms) },
        'request',
      );
    }
  }

  #unrecognised(method: string, path: string): MatrixError {
    const others = [...this.#methods].filter(
      (other) => other !== method && this.#router.find(other as 'GET', path) !== null,
    );
    return others.length > 0
      ? new MatrixError('M_UNRECOGNIZED', `Unrecognized request: not with ${method}`, {
          status: 405,
        })
      : new MatrixError('M_UNRECOGNIZED', 'Unrecognized request', { status: 404 });
  }

  async #fail(error: unknown, res: ServerResponse, request: IncomingRequest): Promise<void> {
    if (res.destroyed || error instanceof ClientGone) {
      res.destroy();
      return;
    }
    if (res.headersSent) {
      this.#needs.log.error({ err: error, request: request.id }, 'an answer broke off');
      res.destroy();
      return;
    }
    const shown = this.#shown(error, request);
    const headers: Record<string, string> = {};
    const retryMs = shown.extra['retry_after_ms'];
    if (typeof retryMs === 'number') headers['Retry-After'] = String(Math.ceil(retryMs / 1000));
    // What is left of a body that was not read would be taken for the next request.
    if (shown.code === 'M_TOO_LARGE' && !res.req.complete) headers['Connection'] = 'close';
    const text = JSON.stringify(shown.body());
    res.writeHead(shown.status, {
      ...corsHeaders,
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(text),
      'X-Request-Id': request.id,
      ...headers,
    });
    res.end(text);
  }

  #shown(error: unknown, request: IncomingRequest): MatrixError {
    if (error instanceof MatrixError) return error;
    if (error instanceof Error && error.name === 'DatabaseUnavailable') {
      this.#needs.log.warn({ request: request.id, reason: error.message }, 'no database');
      return new MatrixError('M_UNKNOWN', 'The server cannot reach its database now', {
        status: 503,
      });
    }
    this.#needs.log.error(
      { err: error, request: request.id, url: request.url.split('?')[0] },
      'bug',
    );
    return new MatrixError('M_UNKNOWN', 'Internal server error', { status: 500 });
  }
}

const unused = () => undefined;
