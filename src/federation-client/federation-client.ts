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
  type OutboundAnswer,
  type OutboundHttp,
  type OutboundOptions,
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
}

/** Signed requests to other servers. */
export interface FederationClient {
  /**
   * Gives the JSON object that the server answers with status 200. Throws FederationError, and
   * NotCanonical for content that cannot be signed. `destination`: a server name, which may come
   * from anybody.
   */
  request(destination: string, request: FederationRequest): Promise<JsonObject>;
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

/** What stands before a server that is away answers so. A 500 may be about the one request. */
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

  function headersOf(destination: string, { method, uri, content }: FederationRequest) {
    const signed = { method, uri, destination, ...(content === undefined ? {} : { content }) };
    return {
      Authorization: requestAuthorization(signed, serverName, signingKey),
      ...(content === undefined ? {} : { 'Content-Type': 'application/json' }),
    };
  }

  /** Asks at the first of the addresses that can be reached. */
  async function ask(
    name: ServerName,
    { method, uri, content, bytesMax, timeoutMs = config.timeoutMs }: FederationRequest,
    headers: Readonly<Record<string, string>>,
  ): Promise<OutboundAnswer> {
    const signal = AbortSignal.timeout(timeoutMs);
    const askAt = ({ host, port, hostHeader, tlsName }: ServerAddress) =>
      httpTo(tlsName || host).fetch(`https://${tcpAddress(host, port)}${uri}`, {
        method,
        headers: { ...headers, Host: hostHeader },
        ...(content === undefined ? {} : { body: JSON.stringify(content) }),
        tlsName,
        // All requests between servers may: those with an effect have ids.
        isRepeatable: true,
        timeoutMs,
        signal,
        ...(bytesMax === undefined ? {} : { bytesMax }),
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

  /** The object that an answer brings. */
  function objectIn(destination: string, { status, body }: OutboundAnswer): JsonObject {
    const object = jsonAnswer(status, body.toString('utf8')).body as JsonObject | null;
    if (status !== 200) {
      const answer = { status, body: object };
      throw new FederationError('refused', destination, `it answers ${status}`, { answer });
    }
    if (!object) throw new FederationError('bad_answer', destination, 'its answer is no object');
    return object;
  }

  return {
    async request(destination, request) {
      const name = checkAllowed(destination);
      const backOff = request.backOff ?? needs.backOff;
      if (backOff.waitMs(destination) > 0) {
        throw new FederationError('backing_off', destination, 'it did not answer lately');
      }
      const headers = headersOf(destination, request);
      sent.labels(request.method).inc();
      let answer;
      try {
        answer = await ask(name, request, headers);
      } catch (error) {
        backOff.failed(destination);
        throw failureFor(destination, error);
      }
      answered.labels(request.method, String(answer.status)).inc();
      if (awayStatuses.has(answer.status)) backOff.failed(destination);
      else backOff.succeeded(destination);
      return objectIn(destination, answer);
    },
    close() {
      http.close();
      unverified.close();
    },
  };
}
