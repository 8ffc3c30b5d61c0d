import { Agent as HttpAgent, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { createAddressPolicy, type AddressRanges } from './address-policy.ts';
import { createCheckedLookup, systemResolve, type Resolve } from './checked-lookup.ts';
import { decodedBody } from './decoded-body.ts';
import { OutboundError } from './errors.ts';
import { createExchange } from './exchange.ts';

export interface OutboundOptions extends AddressRanges {
  /** The `User-Agent` of requests that bring none. */
  userAgent: string;
  /** The authorities whose certificates are believed, PEM, in place of the system's. */
  ca?: readonly string[];
  /** False: certificates may be anybody's. Default true. */
  verifiesCertificates?: boolean;
  /** The lowest version of TLS. Default that of Node.js, 1.2. */
  minTlsVersion?: 'TLSv1.2' | 'TLSv1.3';
  /** How names become addresses; by default as the system does it. */
  resolve?: Resolve;
}

export interface OutboundRequest {
  /** Default `GET`. */
  method?: string;
  /** Default only `User-Agent` and `Accept-Encoding`. */
  headers?: Readonly<Record<string, string>>;
  body?: string | Uint8Array;
  /** For the whole exchange, redirects and the body included. Default 10 s. */
  timeoutMs?: number;
  /** Most bytes of the answer's body, after decompression. Default 1 MiB. */
  bytesMax?: number;
  /** How many redirects are followed. Default 0: a redirect is an answer like any other. */
  redirectsMax?: number;
  /**
   * The name that is asked for by SNI and that the certificate must be valid for; empty: the address
   * in the URL. Default as the URL says.
   */
  tlsName?: string;
  /** It may be made twice: it is, when a connection that was kept turns out to be closed. */
  isRepeatable?: boolean;
  /** Asked before each request, redirects included; false: the URL is blocked. */
  isUrlAllowed?: (url: URL) => boolean;
  /** Ends the exchange early. */
  signal?: AbortSignal;
}

export interface OutboundHead {
  status: number;
  headers: IncomingHttpHeaders;
  /** Where the answer came from, after redirects. */
  url: string;
}

export interface OutboundAnswer extends OutboundHead {
  /** Whole and decompressed. */
  body: Buffer;
}

export interface OutboundStream extends OutboundHead {
  /**
   * The decompressed body; rejects with OutboundError. To be read to its end or left by `break`,
   * which closes the connection.
   */
  body: AsyncIterable<Buffer>;
}

/** Requests to servers that users or other servers have named. Rejects with OutboundError. */
export interface OutboundHttp {
  fetch(url: string, request?: OutboundRequest): Promise<OutboundAnswer>;
  /** The same with the body as it comes; memory stays flat. */
  open(url: string, request?: OutboundRequest): Promise<OutboundStream>;
  /** Closes the connections that are kept. */
  close(): void;
}

const timeoutMsDefault = 10_000;
const bytesMaxDefault = 1024 * 1024;
/** Connections to one host, and in all: a burst must not use up the process's files. */
const socketsOfHostMax = 32;
const socketsMax = 512;
const socketsKeptMax = 8;
/** How long an unused connection is kept. */
const idleMsMax = 30_000;

/**
 * An HTTP client that contacts no address it may not: every address of a name is checked in the
 * look-up of the connection itself, for each redirect again.
 */
export function createOutboundHttp(options: OutboundOptions): OutboundHttp {
  const policy = createAddressPolicy(options);
  const lookup = createCheckedLookup(policy, options.resolve ?? systemResolve);
  const agentOptions = {
    keepAlive: true,
    maxSockets: socketsOfHostMax,
    maxTotalSockets: socketsMax,
    maxFreeSockets: socketsKeptMax,
    timeout: idleMsMax,
  };
  const agents = {
    'http:': new HttpAgent(agentOptions),
    'https:': new HttpsAgent({
      ...agentOptions,
      rejectUnauthorized: options.verifiesCertificates ?? true,
      ...(options.ca === undefined ? {} : { ca: [...options.ca] }),
      ...(options.minTlsVersion === undefined ? {} : { minVersion: options.minTlsVersion }),
    }),
  };
  const exchange = createExchange({ policy, lookup, agents, userAgent: options.userAgent });

  async function* bounded(message: IncomingMessage, bytesMax: number): AsyncGenerator<Buffer> {
    let bytes = 0;
    try {
      for await (const chunk of decodedBody(message)) {
        bytes += chunk.length;
        if (bytes > bytesMax) {
          throw new OutboundError('too_large', `the answer has more than ${bytesMax} bytes`);
        }
        yield chunk;
      }
    } catch (error) {
      throw exchange.failureOf(error, message);
    } finally {
      // Without effect on a connection whose answer was read to its end.
      message.destroy();
    }
  }

  async function open(url: string, request: OutboundRequest = {}): Promise<OutboundStream> {
    const { timeoutMs = timeoutMsDefault, bytesMax = bytesMaxDefault } = request;
    const deadline = AbortSignal.timeout(timeoutMs);
    const signal = request.signal ? AbortSignal.any([deadline, request.signal]) : deadline;
    const { message, finalUrl } = await exchange.follow(url, request, signal);
    const announced = Number(message.headers['content-length'] ?? 0);
    if (announced > bytesMax && request.method !== 'HEAD') {
      message.destroy();
      throw new OutboundError('too_large', `the answer has ${announced} bytes of ${bytesMax}`);
    }
    return {
      status: message.statusCode ?? 0,
      headers: message.headers,
      url: finalUrl,
      body: bounded(message, bytesMax),
    };
  }

  return {
    open,
    async fetch(url, request) {
      const { body, ...head } = await open(url, request);
      const chunks: Buffer[] = [];
      for await (const chunk of body) chunks.push(chunk);
      return { ...head, body: Buffer.concat(chunks) };
    },
    close() {
      agents['http:'].destroy();
      agents['https:'].destroy();
    },
  };
}
