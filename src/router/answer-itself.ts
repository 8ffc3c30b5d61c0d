import type { ServerResponse } from 'node:http';
import type { Metrics } from '../kernel/metrics.ts';
import type { Upstream } from '../routing/upstream.ts';
import { answerFailure } from './answer-failure.ts';

/** The router is well when some worker gets requests. */
export function answerHealth(res: ServerResponse, upstreams: Iterable<Upstream>): void {
  if ([...upstreams].some(({ isEjected }) => !isEjected)) res.end('OK');
  else answerFailure(res, 503);
}

/** The metrics of the router, which know nothing of the workers' own. */
export async function answerMetrics(res: ServerResponse, { registry }: Metrics): Promise<void> {
  const text = await registry.metrics();
  res.writeHead(200, { 'Content-Type': registry.contentType });
  res.end(text);
}
