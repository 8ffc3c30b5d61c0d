import type { TSchema, Static } from 'typebox';
import type { IncomingHttpHeaders } from 'node:http';
import type { ErrorCode } from '../kernel/errors.ts';
import type { HttpRequest, HttpResponse } from './exchange.ts';
import type { RateLimit } from './rate-limit.ts';

/**
 * Who may call an endpoint. `optional`: a token is checked when there is one. `guest`: users and guests.
 * `server`: other servers, which sign their requests.
 */
export type Auth = 'none' | 'optional' | 'user' | 'guest' | 'admin' | 'appservice' | 'server';

/** The traffic groups of the worker model; a router places requests by them. */
export type TrafficGroup =
  | 'sync'
  | 'initial_sync'
  | 'event_sending'
  | 'pagination'
  | 'client'
  | 'registration_login'
  | 'federation'
  | 'federation_inbound'
  | 'media'
  | 'media_admin'
  | 'user_directory'
  | 'key_upload'
  | 'presence'
  | 'typing'
  | 'to_device'
  | 'account_data'
  | 'receipts'
  | 'push_rules'
  | 'sso'
  | 'admin'
  | 'main';

/** What requests of one endpoint are spread by: a user's stay together, a room's, an origin's. */
export type BalanceKey = 'user' | 'room' | 'origin' | 'none';

/** Names of the listener resources an endpoint belongs to. */
export type Resource = 'client' | 'federation' | 'media' | 'metrics' | 'health' | 'admin';

/**
 * The rate-limit classes of the `rc_*` options; `none` is never limited. `federation` holds other
 * servers back by themselves, see `ServerLimiter`.
 */
export type RateLimitClass =
  | 'none'
  | 'federation'
  | 'message'
  | 'registration'
  | 'registration_token_validity'
  | 'login'
  | 'login_account'
  | 'login_failed'
  | 'admin_redaction'
  | 'join'
  | 'join_room'
  | 'join_remote'
  | 'invite'
  | 'invite_room'
  | 'invite_user'
  | 'room_creation'
  | 'media_create'
  | 'delayed_event'
  | 'presence'
  | 'reports'
  | 'threepid_validation'
  | 'third_party_invite'
  | 'user_directory';

/** The user on whose behalf a request runs, resolved from its access token. */
export interface Requester {
  userId: string;
  userNid: number;
  /** Null for application services acting without a device, and for admin-made tokens. */
  deviceId: string | null;
  deviceNid: number | null;
  /** Row id of the access token in the database; null for application services. */
  tokenNid: number | null;
  isGuest: boolean;
  isAdmin: boolean;
  isShadowBanned: boolean;
  /** May read, leave and log out, but do nothing that others see. Absent: not suspended. */
  isSuspended?: boolean;
  /** The application service whose token was used, if any. */
  appservice: { id: string; sender: string; rateLimited: boolean } | null;
  /** An admin has given the user a limit of its own; null: none at all. Absent: the usual ones. */
  ownRateLimit?: RateLimit | null;
}

/** The client that waits for an answer. */
export interface Caller {
  /** It has gone, or the server is stopping: there is no use in waiting any longer. */
  readonly isGone: boolean;
  /** Calls the listener, of which there is one at a time, once when that happens. */
  onGone(listener: () => void): void;
  /** Takes the listener back. */
  offGone(): void;
}

export interface RequestInfo extends Caller {
  /** Shown in logs and in the `X-Request-Id` header, for example `PUT-1000`. */
  id: string;
  method: string;
  /** Raw path with query, as received. */
  url: string;
  remoteAddress: string;
  userAgent: string;
  headers: IncomingHttpHeaders;
  /** The raw access token, or null. */
  accessToken: string | null;
}

/** An answer other than `200` with a JSON body. Handlers normally just return the body. */
export class Reply {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: unknown;
  constructor(status: number, body: unknown, headers: Record<string, string> = {}) {
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

/** A body that is JSON text already; sent as it is. */
export class JsonText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** A body that is written piece by piece, so that memory stays flat. Pieces are text or bytes. */
export class StreamedBody {
  readonly pieces: AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>;
  readonly contentType: string;
  constructor(pieces: StreamedBody['pieces'], contentType = 'application/json') {
    this.pieces = pieces;
    this.contentType = contentType;
  }
}

export interface EndpointContext<P, Q, B, R, O = string | null> {
  params: P;
  query: Q;
  body: B;
  requester: R;
  /** Name of the server whose signature the request has; null where none is asked for. */
  origin: O;
  request: RequestInfo;
  /** For the few endpoints that take over the connection (proxying, raw uploads). */
  raw: { req: HttpRequest; res: HttpResponse };
}

type RequesterOf<A extends Auth> = A extends 'none' | 'server'
  ? null
  : A extends 'optional'
    ? Requester | null
    : Requester;

type OriginOf<A extends Auth> = A extends 'server' ? string : null;

type StaticOr<S, Else> = S extends TSchema ? Static<S> : Else;

/** Everything about one operation. Routes, validation, OpenAPI, metrics, docs and routing come from it. */
export interface EndpointDeclaration<
  N,
  A extends Auth = Auth,
  P extends TSchema | undefined = undefined,
  Q extends TSchema | undefined = undefined,
  B extends TSchema | undefined = undefined,
> {
  /** The spec's operationId, unique per endpoint. */
  operation: string;
  method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'OPTIONS' | 'PATCH';
  /** All full paths with `:param` segments; see `clientPaths`. The first is the newest form. */
  paths: readonly string[];
  auth: A;
  /** Default `none`; `federation` where other servers ask. */
  rateLimit?: RateLimitClass;
  /** Suspended users may not use it: M_USER_SUSPENDED (CS 1.19, "Account suspension"). */
  refusesSuspended?: boolean;
  resource?: Resource;
  runsOn: { group: TrafficGroup; balance: BalanceKey };
  summary: string;
  /** Where it is specified, for example `CS 1.19 §10.4` or `MSC3030`. */
  source?: string;
  deprecated?: boolean;
  /** JSON schema of path parameters; default: every parameter a string. */
  params?: P;
  /** JSON schema of the query; strings are coerced to the declared types. */
  query?: Q;
  /** JSON schema of the body. Absent: the body is ignored (GET) or any JSON object. */
  body?: B;
  /** `none`: do not read the body (raw uploads). `optional`: an empty body counts as `{}`. */
  bodyMode?: 'json' | 'optional' | 'none';
  /** Largest body in bytes; default 1 MiB. */
  bodyBytesMax?: number;
  /** Response schemas by status, for documentation and tests. */
  answers?: Record<number, TSchema>;
  errors?: readonly ErrorCode[];
  handle: (
    context: EndpointContext<
      StaticOr<P, Record<string, string>>,
      StaticOr<Q, Record<string, string | undefined>>,
      StaticOr<B, Record<string, unknown>>,
      RequesterOf<A>,
      OriginOf<A>
    >,
    needs: N,
  ) => unknown;
}

/** An endpoint with what it needs already bound; what the server registers. */
export interface Endpoint {
  operation: string;
  method: EndpointDeclaration<never>['method'];
  paths: readonly string[];
  auth: Auth;
  rateLimit: RateLimitClass;
  refusesSuspended: boolean;
  resource: Resource;
  runsOn: { group: TrafficGroup; balance: BalanceKey };
  summary: string;
  source: string;
  deprecated: boolean;
  params: TSchema | undefined;
  query: TSchema | undefined;
  body: TSchema | undefined;
  bodyMode: 'json' | 'optional' | 'none';
  bodyBytesMax: number;
  answers: Record<number, TSchema>;
  errors: readonly ErrorCode[];
  handle: (context: EndpointContext<unknown, unknown, unknown, Requester | null>) => unknown;
}

/** A declared endpoint waiting for its module to bind what it needs. */
export interface DeclaredEndpoint<N> {
  declaration: EndpointDeclaration<
    N,
    Auth,
    TSchema | undefined,
    TSchema | undefined,
    TSchema | undefined
  >;
}

export const bodyBytesMaxDefault = 1024 * 1024;

const allDeclared: DeclaredEndpoint<never>[] = [];

/** Every endpoint declared in the files that are loaded; for routing and documentation. */
export const declaredEndpoints = (): readonly DeclaredEndpoint<never>[] => allDeclared;

/** Declares an endpoint. `N` is what its handler needs; the module passes it in `bindEndpoints`. */
export function endpoint<N>() {
  return <
    A extends Auth,
    P extends TSchema | undefined = undefined,
    Q extends TSchema | undefined = undefined,
    B extends TSchema | undefined = undefined,
  >(
    declaration: EndpointDeclaration<N, A, P, Q, B>,
  ): DeclaredEndpoint<N> => {
    const declared: DeclaredEndpoint<N> = { declaration };
    allDeclared.push(declared);
    return declared;
  };
}

/** Gives declared endpoints what they need. */
export function bindEndpoints<N>(declared: readonly DeclaredEndpoint<N>[], needs: N): Endpoint[] {
  return declared.map(({ declaration: d }) => ({
    operation: d.operation,
    method: d.method,
    paths: d.paths,
    auth: d.auth,
    rateLimit: d.rateLimit ?? (d.auth === 'server' ? 'federation' : 'none'),
    refusesSuspended: d.refusesSuspended ?? false,
    resource: d.resource ?? 'client',
    runsOn: d.runsOn,
    summary: d.summary,
    source: d.source ?? '',
    deprecated: d.deprecated ?? false,
    params: d.params,
    query: d.query,
    body: d.body,
    bodyMode: d.bodyMode ?? (d.method === 'GET' ? 'none' : 'json'),
    bodyBytesMax: d.bodyBytesMax ?? bodyBytesMaxDefault,
    answers: d.answers ?? {},
    errors: d.errors ?? [],
    handle: (context) => d.handle(context, needs),
  }));
}

const stablePrefixes = ['v3', 'r0', 'api/v1', 'unstable'] as const;

/**
 * The full paths of a client-server endpoint under every prefix that clients use.
 * `since: 'v1'` is for endpoints born under `/v1` (no r0 or api/v1 form exists).
 */
export function clientPaths(
  path: string,
  options: { since?: 'v3' | 'v1'; also?: readonly string[] } = {},
): string[] {
  const prefixes: string[] = options.since === 'v1' ? ['v1', 'unstable'] : [...stablePrefixes];
  return [...prefixes, ...(options.also ?? [])].map((p) => `/_matrix/client/${p}${path}`);
}
