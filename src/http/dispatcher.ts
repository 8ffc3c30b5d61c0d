import FindMyWay from 'find-my-way';
import { MatrixError } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import { answerError } from './answer-error.ts';
import { corsHeaders } from './cors.ts';
import type { Endpoint, Requester, Resource } from './endpoint.ts';
import type { HttpRequest, HttpResponse } from './exchange.ts';
import type { HttpMetrics, ServletMetrics } from './http-metrics.ts';
import { keepFirst, listParameters, parseQuery, type Query } from './query.ts';
import type { RateLimiter } from './rate-limiter.ts';
import { parseJsonObject, readBody } from './read-body.ts';
import { IncomingRequest } from './request-info.ts';
import { respond } from './respond.ts';
import type { ServerLimiter, ServerTurn } from './server-limiter.ts';
import type { Stopping } from './stopping.ts';
import { createValidator } from './validation.ts';

/** Finds out who sends a request; synchronous when it is known already. */
export type Authenticate = (
  token: string | null,
  query: Query,
  origin: { remoteAddress: string; userAgent: string },
  options: { guests: boolean; locked: boolean; expired: boolean },
) => Requester | Promise<Requester>;

/** A request of another server, as far as its signature covers it. */
export interface ServerRequest {
  method: string;
  /** Path and query, as received. */
  uri: string;
  authorization: string | undefined;
  /** Absent without a body. */
  content: JsonObject | undefined;
}

/** Gives the name of the server that has signed a request. Throws M_UNAUTHORIZED and M_FORBIDDEN. */
export type AuthenticateServer = (request: ServerRequest) => Promise<string>;

export interface DispatcherNeeds {
  authenticate: Authenticate;
  authenticateServer: AuthenticateServer;
  limiter: RateLimiter;
  /** Holds requests of other servers back; absent or null: nobody's. */
  serverLimiter?: ServerLimiter | null;
  log: Log;
  metrics: HttpMetrics;
  /** Answers requests that belong to no endpoint here; null: nobody does. */
  passOn?: ((req: HttpRequest, res: HttpResponse) => Promise<void>) | null;
  /** When the server stops long polls end. */
  stopping: Stopping;
}

/** Locked users may still log out (client-server spec, "Account locking"). */
const openToLocked = new Set(['logout', 'logoutAll', 'logout_all']);
/** What users of expired accounts can do besides. */
const openToExpired = new Set([...openToLocked, 'sendRenewalMail']);

type Handler = (exchange: Exchange) => Promise<void>;

interface Route {
  operation: string;
  handle: Handler;
  metrics: ServletMetrics;
}

interface Exchange {
  req: HttpRequest;
  res: HttpResponse;
  params: Record<string, string>;
  query: Query;
  request: IncomingRequest;
  /** Set when they are known; for the log. */
  requester: Requester | null;
  origin: string | null;
}

const noBody = Object.freeze({});

/** The turn of a request that nothing holds back. */
const freeTurn: ServerTurn = { wait: null, end: () => undefined };

function createHandler(endpoint: Endpoint, needs: DispatcherNeeds): Handler {
  const checkQuery = createValidator(endpoint.query, 'query');
  const checkBody = createValidator(endpoint.body, 'body');
  const lists = listParameters(endpoint.query);
  const { auth, rateLimit, bodyMode, bodyBytesMax } = endpoint;
  const options = {
    guests: auth === 'guest' || auth === 'optional',
    locked: openToLocked.has(endpoint.operation),
    expired: openToExpired.has(endpoint.operation),
  };

  async function requesterOf({ query, request }: Exchange): Promise<Requester | null> {
    if (auth === 'none') return null;
    if (auth === 'optional' && request.accessToken === null) return null;
    const found = needs.authenticate(request.accessToken, query, request, options);
    const requester = found instanceof Promise ? await found : found;
    if (auth === 'admin' && !requester.isAdmin) {
      throw new MatrixError('M_FORBIDDEN', 'You are not a server admin');
    }
    if (auth === 'appservice' && !requester.appservice) {
      throw new MatrixError('M_FORBIDDEN', 'This is for application services only');
    }
    if (endpoint.refusesSuspended && requester.isSuspended) {
      throw new MatrixError('M_USER_SUSPENDED', 'This account has been suspended');
    }
    return requester;
  }

  /** Null: there is none. */
  async function bodyOf(req: HttpRequest): Promise<JsonObject | null> {
    if (bodyMode === 'none') return null;
    const bytes = await readBody(req, bodyBytesMax);
    if (bytes.length === 0 && bodyMode === 'optional') return null;
    return parseJsonObject(bytes) as JsonObject;
  }

  async function answer(exchange: Exchange, content: JsonObject | null): Promise<void> {
    const { req, res, params, query, request, requester, origin } = exchange;
    const body = content ?? (bodyMode === 'none' ? noBody : {});
    checkQuery(query);
    checkBody(body);
    const context = { params, query, body, requester, origin, request, raw: { req, res } };
    const made = await endpoint.handle(context);
    // The connection is not to be used again when the server stops.
    if (needs.stopping.isStopping) res.shouldKeepAlive = false;
    if (!res.headersSent) await respond(res, made, request.id);
  }

  async function answerServer(exchange: Exchange): Promise<void> {
    const { req, res, request } = exchange;
    const content = await bodyOf(req);
    const { method, url: uri, headers } = request;
    const signed = { method, uri, content: content ?? undefined };
    const { authorization } = headers;
    const origin = await needs.authenticateServer({ ...signed, authorization });
    exchange.origin = origin;
    const turn = rateLimit === 'federation' ? needs.serverLimiter?.enter(origin) : null;
    const { wait, end } = turn ?? freeTurn;
    try {
      if (wait) await wait;
      if (!res.destroyed) await answer(exchange, content);
    } finally {
      end();
    }
  }

  return async (exchange) => {
    const { req, query, request } = exchange;
    keepFirst(query, lists);
    if (auth === 'server') {
      await answerServer(exchange);
      return;
    }
    const requester = await requesterOf(exchange);
    exchange.requester = requester;
    if (rateLimit !== 'none' && requester?.appservice?.rateLimited !== false) {
      const key = requester?.userId ?? request.remoteAddress;
      needs.limiter.take(rateLimit, key, requester?.ownRateLimit);
    }
    await answer(exchange, await bodyOf(req));
  };
}

/** The operation of requests that belong to no endpoint, in logs and metrics. */
const unrecognised = 'unrecognized';

/** PostgreSQL keeps no text with NUL, and nothing that Matrix names has one. */
const encodedNul = '%00';

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
      const { operation, method } = endpoint;
      const metrics = needs.metrics.servlet(method, operation);
      const route: Route = { operation, handle: createHandler(endpoint, needs), metrics };
      this.#methods.add(method);
      for (const path of endpoint.paths) this.#router.on(method, path, unused, route);
    }
  }

  /** Rejects only when even an error cannot be answered. */
  async dispatch(req: HttpRequest, res: HttpResponse): Promise<void> {
    const { method = 'GET', url = '/' } = req;
    res.on('error', unused);
    if (method === 'OPTIONS') {
      res.writeHead(204, corsHeaders);
      res.end();
      return;
    }
    const started = performance.now();
    const mark = url.indexOf('?');
    const path = mark === -1 ? url : url.slice(0, mark);
    const query = parseQuery(url);
    const options = { isForwarded: this.#isForwarded, stopping: this.#needs.stopping };
    const request = new IncomingRequest(req, res, query, options);
    const wanted = method === 'HEAD' ? 'GET' : method;
    const found = this.#router.find(wanted as 'GET', path);
    const route = found?.store as Route | undefined;
    const metrics = route?.metrics ?? this.#needs.metrics.servlet(method, unrecognised);
    const params = (found?.params ?? {}) as Record<string, string>;
    const exchange: Exchange = { req, res, params, query, request, requester: null, origin: null };
    metrics.began();
    try {
      if (!route && this.#needs.passOn) {
        await this.#needs.passOn(req, res);
        return;
      }
      if (!route) throw this.#unrecognised(wanted, path);
      if (url.includes(encodedNul)) {
        throw new MatrixError('M_INVALID_PARAM', 'The URL may not have NUL characters');
      }
      await route.handle(exchange);
    } catch (error) {
      if (this.#needs.stopping.isStopping) res.shouldKeepAlive = false;
      answerError(error, res, request, this.#needs);
    } finally {
      const ms = performance.now() - started;
      metrics.ended(res.statusCode, ms / 1000);
      this.#note(exchange, route?.operation ?? unrecognised, path, ms);
    }
  }

  /** The access log. */
  #note(exchange: Exchange, operation: string, path: string, ms: number) {
    const { req, res, request, requester, origin } = exchange;
    const { log } = this.#needs;
    if (!log.isLevelEnabled('debug')) return;
    const { id, remoteAddress } = request;
    const entry = {
      request: id,
      user: requester?.userId,
      origin: origin ?? undefined,
      remoteAddress,
      operation,
      path,
      status: res.statusCode,
      ms: Math.round(ms * 10) / 10,
    };
    log.debug(entry, req.destroyed && !req.complete ? 'request broken off' : 'request');
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
}

const unused = () => undefined;
