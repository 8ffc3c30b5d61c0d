import { request, type IncomingMessage, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { connectionOptions } from '../cluster/rpc/address.ts';
import type { WorkerRow } from '../cluster/store.ts';
import { MatrixError } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import type { WorkerApp } from '../routing/apps.ts';

/** Longest silence of the process that a request is passed on to; long polls are shorter. */
const silenceMsMax = 180_000;

/** Headers that are about one connection (RFC 9110, 7.6.1). */
const ofConnection = new Set(['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'te']);

const isEverything = (worker: WorkerRow) =>
  worker.isAlive &&
  worker.http !== null &&
  (worker.app === 'main' || worker.app === 'generic_worker');

/**
 * Passes requests that this app does not answer on to a process that answers everything, as
 * `frontend_proxy` does; null where every request is answered. Bodies are streamed both ways.
 */
export function createPassOn(app: WorkerApp, workers: () => readonly WorkerRow[], log: Log) {
  if (app === 'main' || app === 'generic_worker') return null;
  let turn = 0;

  return async function passOn(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const able = workers().filter(isEverything);
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
    req.pipe(passed);
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
    await pipeline(response, res).catch(() => undefined);
  };
}
