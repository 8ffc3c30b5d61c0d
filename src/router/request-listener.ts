import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { corsHeaders } from '../http/cors.ts';
import type { ListenerOptions } from '../http/open-listeners.ts';
import type { Log } from '../kernel/log.ts';
import type { Classify, Placement } from '../routing/classify.ts';
import { queryValue } from '../routing/keys.ts';
import { answerFailure } from './answer-failure.ts';
import type { Exchange } from './exchange.ts';

export interface RequestListenerNeeds {
  classify: Classify;
  log: Log;
  /** Answers what every process answers for itself. */
  answerItself(resource: 'health' | 'metrics', res: ServerResponse): void;
  /** Notes a request that is to be passed on. */
  begin(
    req: IncomingMessage,
    res: ServerResponse,
    placement: Placement,
    options: { isForwarded: boolean; pollMs: number },
  ): Exchange;
}

/** Longest wait that a long poll may ask for; workers have their own limit. */
const pollMsMax = 30 * 60_000;

function pollMsOf({ group }: Placement, url: string): number {
  if (group !== 'sync' && group !== 'initial_sync') return 0;
  const mark = url.indexOf('?');
  const given = mark === -1 ? null : queryValue(url, mark, 'timeout');
  const ms = given === null ? 0 : Number(given);
  return ms > 0 ? Math.min(ms, pollMsMax) : 0;
}

/** What becomes of the requests of a listener: it gives only what it offers. */
export function createRequestListener(needs: RequestListenerNeeds) {
  const { classify, log } = needs;
  return (listener: ListenerOptions): RequestListener => {
    const resources = new Set(listener.resources);
    const { isForwarded } = listener;
    return (req, res) => {
      const { method = 'GET', url = '/' } = req;
      if (method === 'OPTIONS') {
        res.writeHead(204, corsHeaders);
        res.end();
        return;
      }
      const placement = classify(method, url, req.headers, req.socket.remoteAddress);
      const { resource } = placement;
      if (resource !== null && !resources.has(resource)) {
        answerFailure(res, 404);
        return;
      }
      if (resource === 'health' || resource === 'metrics') {
        needs.answerItself(resource, res);
        return;
      }
      const pollMs = pollMsOf(placement, url);
      const exchange = needs.begin(req, res, placement, { isForwarded, pollMs });
      try {
        exchange.attempt();
      } catch (error) {
        log.error({ err: error }, 'bug: a request could not be passed on');
        exchange.giveUp();
      }
    };
  };
}
