import { request as httpRequest, type Agent, type IncomingMessage } from 'node:http';
import { request as httpsRequest, type Agent as HttpsAgent } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import type { AddressPolicy } from './address-policy.ts';
import { acceptedEncodings } from './decoded-body.ts';
import { OutboundError } from './errors.ts';
import type { OutboundRequest } from './outbound-http.ts';

export interface ExchangeNeeds {
  policy: AddressPolicy;
  lookup: LookupFunction;
  agents: { 'http:': Agent; 'https:': HttpsAgent };
  userAgent: string;
}

interface Step {
  url: URL;
  method: string;
  headers: Record<string, string>;
  body: string | Uint8Array | undefined;
  tls: { servername?: string };
  isRepeatable: boolean;
}

const redirects = new Set([301, 302, 303, 307, 308]);

/** What must not be told to another origin than the one it was meant for. */
const secretHeaders = new Set(['authorization', 'cookie', 'proxy-authorization', 'host']);

function parseUrl(text: string, base?: URL): URL {
  const url = URL.canParse(text, base) ? new URL(text, base) : null;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new OutboundError('bad_url', 'the URL must begin with https:// or http://');
  }
  return url;
}

/** The request after a redirect (RFC 9110, 15.4): only 307 and 308 keep method and body. */
function redirected(step: Step, status: number, location: string): Step {
  const url = parseUrl(location, step.url);
  const keepsBody = status === 307 || status === 308 || step.method === 'HEAD';
  const isSameOrigin = url.origin === step.url.origin;
  const headers = Object.fromEntries(
    Object.entries(step.headers).filter(
      ([name]) =>
        (isSameOrigin || !secretHeaders.has(name)) && (keepsBody || !name.startsWith('content-')),
    ),
  );
  const next = { ...step, url, headers, tls: isSameOrigin ? step.tls : {} };
  return keepsBody ? next : { ...next, method: 'GET', body: undefined };
}

/** One request, and those that redirects lead to. */
export function createExchange(needs: ExchangeNeeds) {
  const signals = new WeakMap<IncomingMessage, AbortSignal>();

  function failure(error: unknown, signal: AbortSignal | undefined): OutboundError {
    if (error instanceof OutboundError) return error;
    const reason: unknown = signal?.aborted ? signal.reason : null;
    if (reason instanceof Error && reason.name === 'TimeoutError') {
      return new OutboundError('timeout', 'there was no answer in time', error);
    }
    const said = error instanceof Error ? error.message : String(error);
    return new OutboundError('unreachable', `the request failed: ${said}`, error);
  }

  function checkHost(url: URL, request: OutboundRequest): void {
    const host = url.hostname.replace(/^\[|\]$/g, '');
    // Addresses are not looked up, so they are checked here; names are in the look-up.
    if (isIP(host) !== 0 && !needs.policy.isAllowed(host)) {
      throw new OutboundError('blocked', `${host} may not be contacted`);
    }
    if (request.isUrlAllowed?.(url) === false) {
      throw new OutboundError('blocked', 'the URL may not be fetched');
    }
  }

  function send(step: Step, signal: AbortSignal): Promise<IncomingMessage> {
    const { url, method, headers, body, tls } = step;
    const { lookup } = needs;
    return new Promise((resolve, reject) => {
      const options = { method, headers, lookup, signal };
      const req =
        url.protocol === 'https:'
          ? httpsRequest(url, { ...options, ...tls, agent: needs.agents['https:'] }, resolve)
          : httpRequest(url, { ...options, agent: needs.agents['http:'] }, resolve);
      req.on('error', (error: NodeJS.ErrnoException) => {
        const isStale = req.reusedSocket && error.code === 'ECONNRESET' && !signal.aborted;
        if (isStale && step.isRepeatable) resolve(send(step, signal));
        else reject(failure(error, signal));
      });
      req.end(body);
    });
  }

  function firstStep(url: string, request: OutboundRequest): Step {
    const given = Object.entries(request.headers ?? {}).map(([name, value]): [string, string] => [
      name.toLowerCase(),
      value,
    ]);
    const { body, method = 'GET' } = request;
    const headers: Record<string, string> = {
      'user-agent': needs.userAgent,
      'accept-encoding': acceptedEncodings,
      ...(body === undefined ? {} : { 'content-length': `${Buffer.byteLength(body)}` }),
      ...Object.fromEntries(given),
    };
    const tls = request.tlsName === undefined ? {} : { servername: request.tlsName };
    const { isRepeatable = false } = request;
    return { url: parseUrl(url), method, headers, body, tls, isRepeatable };
  }

  return {
    async follow(url: string, request: OutboundRequest, signal: AbortSignal) {
      let step = firstStep(url, request);
      for (let left = request.redirectsMax ?? 0; ; left--) {
        checkHost(step.url, request);
        // oxlint-disable-next-line no-await-in-loop
        const message = await send(step, signal);
        const { statusCode: status = 0, headers } = message;
        const location = redirects.has(status) ? headers.location : undefined;
        if (location === undefined || (request.redirectsMax ?? 0) === 0) {
          signals.set(message, signal);
          return { message, finalUrl: step.url.href };
        }
        message.destroy();
        if (left === 0) throw new OutboundError('too_many_redirects', 'too many redirects');
        step = redirected(step, status, location);
      }
    },
    /** What went wrong while the body of an answer was read. */
    failureOf: (error: unknown, message: IncomingMessage) => failure(error, signals.get(message)),
  };
}
