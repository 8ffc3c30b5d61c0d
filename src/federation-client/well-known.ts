import type { IncomingHttpHeaders } from 'node:http';
import { boundedCache } from '../kernel/bounded-cache.ts';
import type { Clock } from '../kernel/clock.ts';
import { jsonAnswer } from '../http/json-client.ts';
import { OutboundError } from '../outbound/errors.ts';
import type { OutboundHttp } from '../outbound/outbound-http.ts';
import { parseServerName } from './server-name.ts';

/** Reads `https://<hostname>/.well-known/matrix/server`, and remembers what it said. */
export interface WellKnown {
  /** The server name that requests are delegated to; null: the answer is an error. */
  delegated(hostname: string): Promise<string | null>;
}

interface Known {
  server: string | null;
  untilTs: number;
  /** Errors in a row. */
  failures: number;
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
/** Where the answer does not say how long it is good (server-server spec, "Resolving server names"). */
const keptMsDefault = 24 * hourMs;
const keptMsMax = 48 * hourMs;
/** Kept at least for so long, so that an answer costs less than the requests it is for. */
const keptMsMin = minuteMs;
/** Errors: at first for a minute, then ever longer. */
const errorKeptMsMax = hourMs;

const hostsMax = 10_000;
const answerBytesMax = 50 * 1024;
const answerMsMax = 8_000;
const redirectsMax = 10;

/** How long an answer is good, by `Cache-Control` or `Expires` (RFC 9111). */
export function keptMs(headers: IncomingHttpHeaders, now: number): number {
  const control = headers['cache-control'] ?? '';
  const maxAge = /(?:^|,)\s*max-age\s*=\s*"?(\d+)/i.exec(control)?.[1];
  let ms = keptMsDefault;
  if (/(?:^|,)\s*no-(?:store|cache)\b/i.test(control)) ms = 0;
  else if (maxAge !== undefined) ms = Number(maxAge) * 1000;
  else if (headers.expires !== undefined) ms = (Date.parse(headers.expires) || 0) - now;
  return Math.min(keptMsMax, Math.max(keptMsMin, ms));
}

function serverIn(status: number, text: string): string | null {
  if (status !== 200) return null;
  const server = jsonAnswer(status, text).body?.['m.server'];
  return typeof server === 'string' && parseServerName(server) ? server : null;
}

export function createWellKnown(fetch: OutboundHttp['fetch'], clock: Clock): WellKnown {
  const known = boundedCache<string, Known>(hostsMax);
  const asking = new Map<string, Promise<Known>>();

  async function ask(hostname: string): Promise<Known> {
    try {
      const answer = await fetch(`https://${hostname}/.well-known/matrix/server`, {
        timeoutMs: answerMsMax,
        bytesMax: answerBytesMax,
        redirectsMax,
        isUrlAllowed: (url) => url.protocol === 'https:',
      });
      const server = serverIn(answer.status, answer.body.toString('utf8'));
      const now = clock.now();
      if (server !== null) {
        return { server, untilTs: now + keptMs(answer.headers, now), failures: 0 };
      }
    } catch (error) {
      if (!(error instanceof OutboundError)) throw error;
    }
    const failures = (known.peek(hostname)?.failures ?? 0) + 1;
    const errorKeptMs = Math.min(errorKeptMsMax, minuteMs * 2 ** (failures - 1));
    return { server: null, untilTs: clock.now() + errorKeptMs, failures };
  }

  return {
    async delegated(hostname) {
      const before = known.get(hostname);
      if (before && before.untilTs > clock.now()) return before.server;
      let answer = asking.get(hostname);
      if (!answer) {
        answer = ask(hostname)
          .then((found) => {
            known.set(hostname, found);
            return found;
          })
          .finally(() => asking.delete(hostname));
        asking.set(hostname, answer);
      }
      return (await answer).server;
    },
  };
}
