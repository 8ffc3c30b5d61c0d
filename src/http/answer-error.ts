import { MatrixError } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import { closeAfterBody } from './close-after-body.ts';
import { corsHeaders } from './cors.ts';
import type { HttpResponse } from './exchange.ts';
import { ClientGone } from './read-body.ts';
import type { IncomingRequest } from './request-info.ts';
import type { Stopping } from './stopping.ts';

export interface AnswerErrorNeeds {
  log: Log;
  stopping: Pick<Stopping, 'isStopping'>;
}

/** PostgreSQL's codes for values of clients that it cannot keep. */
const unkept = new Map([
  ['22021', 'Text may not have NUL characters here'],
  ['22P05', 'Text may not have NUL characters here'],
  ['22003', 'A number is out of range'],
]);

/** An error further in that is about what the client has sent. */
function mistakeOfClient(error: Error): MatrixError | null {
  const reason = unkept.get(String((error as { code?: unknown }).code));
  if (reason !== undefined) return new MatrixError('M_INVALID_PARAM', reason);
  // Values without canonical JSON come from clients only.
  return error.name === 'NotCanonical' ? new MatrixError('M_BAD_JSON', error.message) : null;
}

const isAbort = (error: unknown) =>
  error instanceof ClientGone || (error instanceof Error && error.name === 'AbortError');

/** What the client is to see of an error. What is our own mistake is logged, once. */
function shown(
  error: unknown,
  request: IncomingRequest,
  { log, stopping }: AnswerErrorNeeds,
): MatrixError {
  if (error instanceof MatrixError) return error;
  if (error instanceof Error && error.name === 'DatabaseUnavailable') {
    log.warn({ request: request.id, reason: error.message }, 'no database');
    return new MatrixError('M_UNKNOWN', 'The server cannot reach its database now', {
      status: 503,
    });
  }
  const mistake = error instanceof Error ? mistakeOfClient(error) : null;
  if (mistake) return mistake;
  if (error instanceof Error && error.name === 'RoleUnavailable') {
    log.warn({ request: request.id, reason: error.message }, 'no process for this work');
    return new MatrixError('M_UNKNOWN', 'The part of the server that does this is away now', {
      status: 503,
    });
  }
  if (isAbort(error) && stopping.isStopping) {
    return new MatrixError('M_UNKNOWN', 'The server is stopping', { status: 503 });
  }
  log.error({ err: error, request: request.id, url: request.url.split('?')[0] }, 'bug');
  return new MatrixError('M_UNKNOWN', 'Internal server error', { status: 500 });
}

/**
 * Tells a client what went wrong, with `Retry-After` when it is to wait. When the answer has begun
 * already it is broken off, so that nobody takes it for whole.
 */
export function answerError(
  error: unknown,
  res: HttpResponse,
  request: IncomingRequest,
  needs: AnswerErrorNeeds,
): void {
  if (res.headersSent) {
    if (!isAbort(error) && !res.destroyed) {
      needs.log.error({ err: error, request: request.id }, 'an answer broke off');
    }
    res.destroy();
    return;
  }
  if (error instanceof ClientGone || (res.destroyed && isAbort(error))) {
    res.destroy();
    return;
  }
  const told = shown(error, request, needs);
  if (res.destroyed) return;
  const text = JSON.stringify(told.body());
  const headers: Record<string, string | number> = {
    ...corsHeaders,
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
    'X-Request-Id': request.id,
  };
  const retryMs = told.extra['retry_after_ms'];
  if (typeof retryMs === 'number') headers['Retry-After'] = String(Math.ceil(retryMs / 1000));
  const isUnread = told.code === 'M_TOO_LARGE' && !res.req.complete;
  if (isUnread) headers['Connection'] = 'close';
  res.writeHead(told.status, headers);
  if (isUnread) closeAfterBody(res, text);
  else res.end(text);
}
