import { jsonAnswer } from '../http/json-client.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Metrics } from '../kernel/metrics.ts';
import { tcpAddress } from '../kernel/tcp-address.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import { compileGlob } from '../matrix/push-rules/glob.ts';
import { requestAuthorization } from '../matrix/request-signing.ts';
import type { SigningKey } from '../matrix/signing.ts';
import { OutboundError } from '../outbound/errors.ts';
import {
  createOutboundHttp,
  type OutboundHttp,
  type OutboundOptions,
  type OutboundStream,
} from '../outbound/outbound-http.ts';
import type { BackOff } from './back-off.ts';
import { FederationError, type FederationFailure } from './errors.ts';
import { createServerDiscovery, type ServerAddress } from './server-discovery.ts';
import { parseServerName, type ServerName } from './server-name.ts';
import { createServiceRecords, systemResolveSrv, type ResolveSrv } from './service-records.ts';
import { createWellKnown } from './well-known.ts';

/** How other servers are reached; names of options in brackets. */
export interface FederationClientConfig extends OutboundOptions {
  /** [federation_certificate_verification_whitelist]: globs of hosts. */
  unverifiedHosts: readonly string[];
  /** [federation_domain_whitelist]; null: all. */
  allowedServers: readonly string[] | null;
  /** [federation.client_timeout] */
  timeoutMs: number;
}

export interface FederationClientNeeds {
  config: FederationClientConfig;
  serverName: string;
  signingKey: SigningKey;
  clock: Clock;
  metrics: Metrics;
  /** Which servers are left alone. */
  backOff: BackOff;
  /** How SRV records are found; by default as the system's name servers say. */
  resolveSrv?: ResolveSrv;
}

export interface FederationRequest {
  method: 'GET' | 'POST' | 'PUT';
  /** Path and query, `/_matrix/…`, just as they are sent. */
  uri: string;
  content?: JsonObject;
  /** For all of it: discovery, connection, answer. Default `config.timeoutMs`. */
  timeoutMs?: number;
  /** Most bytes of the answer, after decompression. Default 1 MiB. */
  bytesMax?: number;
  /** In place of the client's own, for requests that cannot wait for long. */
  backOff?: BackOff;
  /** Ends it early. */
  signal?: AbortSignal;
  /** False: sent as by anybody. Default true. */
  isSigned?: boolean;
  /** Redirects that are followed, to anywhere; the signature is not sent along. Default 0. */
  redirectsMax?: number;
}

/** Signed requests to other servers. */
export interface FederationClient {
  /**
   * Gives the JSON object that the server answers with status 200. Throws FederationError, and
   * NotCanonical for content that cannot be signed. `destination`: a server name, which may come
   * from anybody.
   */
  request(destination: string, request: FederationRequest): Promise<JsonObject>;
  /**
   * Gives the answer with status 200 as it comes, for what is large or no JSON. Throws
   * FederationError; reading the body throws it too, or OutboundError.
   */
  open(destination: string, request: FederationRequest): Promise<OutboundStream>;
  /** Closes the connections that are kept. */
  close(): void;
}

const failureOf: Record<OutboundError['reason'], FederationFailure> = {
  bad_url: 'unreachable',
  blocked: 'blocked',
  unreachable: 'unreachable',
  timeout: 'timeout',
  too_large: 'too_large',
  too_many_redirects: 'unreachable',
};

/**
 * What stands before a server that is away answers so, without the error code of a server that is
 * there. A 500 may be about the one request.
 */
const awayStatuses = new Set([502, 503, 504]);

function failureFor(destination: string, error: unknown): unknown {
  if (error instanceof OutboundError) {
    return new FederationError(failureOf[error.reason], destination, error.message, {
      cause: error,
    });
  }
  if (error instanceof Error && error.name === 'TimeoutError') {
    return new FederationError('timeout', destination, 'there was no answer in time');
  }
  return error;
}

/** The promise, or the reason of the signal when that comes first. */
function within<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason as Error);
  signal.addEventListener('abort', stop, { once: true });
  return Promise.race([promise, stopped]).finally(() => signal.removeEventListener('abort', stop));
}

function isAway({ status, body }: { status: number; body: unknown }): boolean {
  const code = (body as JsonObject | null)?.['errcode'];
  return awayStatuses.has(status) && typeof code !== 'string';
}

/** Of an answer that is not wanted. */
const errorBytesMax = 64 * 1024;

/** The body of an answer; what is longer than `bytesMax` is cut. */
async function allOf({ body }: OutboundStream, bytesMax = Infinity): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= bytesMax) break;
  }
  return Buffer.concat(chunks).toString('utf8');
}

const objectOf = (text: string) => jsonAnswer(200, text).body as JsonObject | null;

export function createFederationClient(needs: FederationClientNeeds): FederationClient {
  const { config, serverName, signingKey, clock, metrics } = needs;
  const http = createOutboundHttp(config);
  const unverified = createOutboundHttp({ ...config, verifiesCertificates: false });
  const unverifiedHosts = config.unverifiedHosts.map((pattern) => compileGlob(pattern));
  const httpTo = (host: string): OutboundHttp =>
    unverifiedHosts.some((glob) => glob.matches(host)) ? unverified : http;
  const wellKnown = createWellKnown(
    (url, options) => httpTo(new URL(url).hostname).fetch(url, options),
    clock,
  );
  const records = createServiceRecords(needs.resolveSrv ?? systemResolveSrv(), clock);
  const discovery = createServerDiscovery(wellKnown, records);
  const sent = metrics.counter(
    'synapse_http_matrixfederationclient_requests_total',
    'Requests to other servers',
    ['method'],
  );
  const answered = metrics.counter(
    'synapse_http_matrixfederationclient_responses_total',
    'Answers of other servers',
    ['method', 'code'],
  );

  function checkAllowed(destination: string): ServerName {
    const { allowedServers } = config;
    const isAllowed =
      allowedServers === null || destination === serverName || allowedServers.includes(destination);
    const name = isAllowed ? parseServerName(destination) : null;
    if (!name) throw new FederationError('denied', destination, 'it may not be contacted');
    return name;
  }

  function headersOf(destination: string, request: FederationRequest): Record<string, string> {
    const { method, uri, content, isSigned = true } = request;
    const signed = { method, uri, destination, ...(content === undefined ? {} : { content }) };
    return {
      ...(isSigned ? { Authorization: requestAuthorization(signed, serverName, signingKey) } : {}),
      ...(content === undefined ? {} : { 'Content-Type': 'application/json' }),
    };
  }

  /** Asks at the first of the addresses that can be reached. */
  async function ask(
    name: ServerName,
    request: FederationRequest,
    headers: Readonly<Record<string, string>>,
  ): Promise<OutboundStream> {
    const { method, uri, content, bytesMax, redirectsMax, timeoutMs = config.timeoutMs } = request;
    const deadline = AbortSignal.timeout(timeoutMs);
    const signal = request.signal ? AbortSignal.any([deadline, request.signal]) : deadline;
    const askAt = ({ host, port, hostHeader, tlsName }: ServerAddress) =>
      httpTo(tlsName || host).open(`https://${tcpAddress(host, port)}${uri}`, {
        method,
        headers: { ...headers, Host: hostHeader },
        ...(content === undefined ? {} : { body: JSON.stringify(content) }),
        tlsName,
        // All requests between servers may: those with an effect have ids.
        isRepeatable: true,
        timeoutMs,
        signal,
        ...(bytesMax === undefined ? {} : { bytesMax }),
        ...(redirectsMax === undefined ? {} : { redirectsMax }),
      });
    let failure: unknown = new OutboundError('unreachable', 'its domain has no Matrix server');
    for (const address of await within(discovery.find(name), signal)) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- one after the other, as SRV records say
        return await askAt(address);
      } catch (error) {
        if (!(error instanceof OutboundError) || error.reason !== 'unreachable') throw error;
        failure = error;
      }
    }
    throw failure;
  }

  /** One request; `read` takes of the answer what is wanted before the server counts as answering. */
  async function exchange<T extends { status: number; body: unknown }>(
    destination: string,
    request: FederationRequest,
    read: (answer: OutboundStream) => Promise<T>,
  ): Promise<T> {
    const name = checkAllowed(destination);
    const backOff = request.backOff ?? needs.backOff;
    if (backOff.waitMs(destination) > 0) {
      throw new FederationError('backing_off', destination, 'it did not answer lately');
    }
    const headers = headersOf(destination, request);
    sent.labels(request.method).inc();
    try {
      const answer = await ask(name, request, headers);
      answered.labels(request.method, String(answer.status)).inc();
      const found = await read(answer);
      if (isAway(found)) backOff.failed(destination);
      else backOff.succeeded(destination);
      return found;
    } catch (error) {
      // What answers with too much is there.
      const isThere = error instanceof OutboundError && error.reason === 'too_large';
      if (!isThere) backOff.failed(destination);
      throw failureFor(destination, error);
    }
  }

  const refused = (destination: string, status: number, body: JsonObject | null) =>
    new FederationError('refused', destination, `it answers ${status}`, {
      answer: { status, body },
    });

  return {
    async request(destination, request) {
      const { status, body } = await exchange(destination, request, async (answer) => ({
        status: answer.status,
        body: objectOf(await allOf(answer)),
      }));
      if (status !== 200) throw refused(destination, status, body);
      if (!body) throw new FederationError('bad_answer', destination, 'its answer is no object');
      return body;
    },
    async open(destination, request) {
      const { status, body, answer } = await exchange(destination, request, async (opened) => ({
        status: opened.status,
        body: opened.status === 200 ? null : objectOf(await allOf(opened, errorBytesMax)),
        answer: opened,
      }));
      if (status === 200) return answer;
      throw refused(destination, status, body);
    },
    close() {
      http.close();
      unverified.close();
    },
  };
}
