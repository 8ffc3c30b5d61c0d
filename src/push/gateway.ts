import type { JsonObject } from '../matrix/pdu.ts';
import type { OutboundHttp } from '../outbound/outbound-http.ts';

/** What a push gateway is for the server. Rejects when it did not take the push. */
export interface Gateway {
  /** Gives the pushkeys that it does not want any more. */
  notify(url: string, body: JsonObject): Promise<string[]>;
}

const answerMsMax = 20_000;
const answerBytesMax = 64 * 1024;

/** The push gateway did not take a push. */
export class PushFailed extends Error {
  constructor(reason: string) {
    super(`the push gateway ${reason}`);
    this.name = 'PushFailed';
  }
}

function rejectedIn(text: string): string[] {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new PushFailed('did not answer with JSON');
  }
  const { rejected } = (answer ?? {}) as { rejected?: unknown };
  return Array.isArray(rejected) ? rejected.filter((key) => typeof key === 'string') : [];
}

/** Speaks the push gateway API by a client that keeps out of inner networks. */
export function createGateway(http: Pick<OutboundHttp, 'fetch'>): Gateway {
  return {
    async notify(url, body) {
      const answer = await http.fetch(url, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
        timeoutMs: answerMsMax,
        bytesMax: answerBytesMax,
      });
      if (answer.status < 200 || answer.status > 299) {
        throw new PushFailed(`answered with ${answer.status}`);
      }
      return rejectedIn(answer.body.toString('utf8'));
    },
  };
}
