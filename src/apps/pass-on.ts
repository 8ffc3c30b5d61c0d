import { request, type IncomingMessage } from 'node:http';
import { connectionOptions } from '../cluster/rpc/address.ts';
import type { WorkerRow } from '../cluster/store.ts';
import type { Endpoint, TrafficGroup } from '../http/endpoint.ts';
import { isWhole, type HttpRequest, type HttpResponse } from '../http/exchange.ts';
import { written } from '../http/respond.ts';
import { MatrixError } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';

/** Longest silence of the process that a request is passed on to; long polls are shorter. */
const silenceMsMax = 180_000;

/** Headers that are about one connection (RFC 9110, 7.6.1). */
const ofConnection = new Set(['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'te']);

/** Passes a request on; `group` is that of its endpoint, null when it has none here. */
export type PassOn = (
  req: HttpRequest,
  res: HttpResponse,
  group: TrafficGroup | null,
) => Promise<void>;

export interface PassOnNeeds {
  workers(): readonly WorkerRow[];
  /** The processes that may write, by stream. */
  holders: ReadonlyMap<string, readonly string[]>;
  log: Log;
}

/**
 * Passes requests that this process does not answer on to one that does, as `frontend_proxy` does:
 * one that the configuration names for what is written, or one that answers everything. Bodies are
 * streamed both ways.
 */
export function createPassOn({ workers, holders, log }: PassOnNeeds): PassOn {
  let turn = 0;

  function ableTo(group: TrafficGroup | null): WorkerRow[] {
    const named = group === null ? undefined : holders.get(group);
    return workers().filter(
      ({ isAlive, http, app, name }) =>
        isAlive &&
        http !== null &&
        (named ? named.includes(name) : app === 'main' || app === 'generic_worker'),
    );
  }

  return async function passOn(req, res, group) {
    const able = ableTo(group);
    const chosen = able[turn++ % Math.max(able.length, 1)];
    if (!chosen) {
      throw new MatrixError('M_UNKNOWN', 'No process that does this is running now', {
        status: 503,
      });
    }
    const headers = {
      ...req.headers,
      'x-forwarded-for': [req.headers['x-forwarded-for'], req.socket.remoteAddress]
        .flat()
        .filter((one) => one !== undefined)
        .join(', '),
    };
    const target = connectionOptions(chosen.http!);
    const there = 'path' in target ? { socketPath: target.path } : target;
    const passed = request({ ...there, method: req.method, path: req.url, headers } as object);
    passed.setTimeout(silenceMsMax, () => passed.destroy(new Error('no answer in time')));
    res.on('close', () => passed.destroy());
    const answer = new Promise<IncomingMessage>((resolve, reject) => {
      passed.on('response', resolve);
      passed.on('error', reject);
    });
    if (isWhole(req)) passed.end(req.wholeBody);
    else req.pipe(passed);
    let response;
    try {
      response = await answer;
    } catch (error) {
      if (res.destroyed) return;
      log.warn({ err: error, worker: chosen.name }, 'a request could not be passed on');
      throw new MatrixError('M_UNKNOWN', 'The process that does this did not answer', {
        status: 502,
        cause: error,
      });
    }
    const kept = Object.entries(response.headers).filter(([name]) => !ofConnection.has(name));
    res.writeHead(response.statusCode ?? 502, Object.fromEntries(kept) as Record<string, string>);
    try {
      for await (const piece of response as AsyncIterable<Buffer>) {
        if (!(await written(res, piece))) return;
      }
      res.end();
    } catch {
      // It broke off: so does the answer.
      res.destroy();
    }
  };
}

/** The endpoint, answered by another process: here nothing of the request is looked at. */
export const passedOn = (endpoint: Endpoint, passOn: PassOn): Endpoint => ({
  ...endpoint,
  auth: 'none',
  rateLimit: 'none',
  bodyMode: 'none',
  params: undefined,
  query: undefined,
  body: undefined,
  async handle({ raw }) {
    await passOn(raw.req, raw.res, endpoint.runsOn.group);
    return {};
  },
});
