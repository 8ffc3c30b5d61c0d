import type { ServerResponse } from 'node:http';
import { closeAfterBody } from '../http/close-after-body.ts';
import { corsHeaders } from '../http/cors.ts';
import { MatrixError, type ErrorCode } from '../kernel/errors.ts';

const failures: Readonly<Record<number, [ErrorCode, string]>> = {
  404: ['M_UNRECOGNIZED', 'Unrecognized request'],
  502: ['M_UNKNOWN', 'The server could not answer; it is safe to look again in a moment'],
  503: ['M_UNKNOWN', 'No part of the server can take the request now; try again in a moment'],
  504: ['M_UNKNOWN', 'The server did not answer in time'],
};

/** Answers in place of a worker. */
export function answerFailure(res: ServerResponse, status: 404 | 502 | 503 | 504): void {
  if (res.destroyed) return;
  const [code, message] = failures[status]!;
  const text = JSON.stringify(new MatrixError(code, message).body());
  res.writeHead(status, {
    ...corsHeaders,
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
    ...(status === 503 ? { 'Retry-After': '1' } : {}),
    // A request that was not read to its end cannot be followed by another.
    ...(res.req.complete ? {} : { Connection: 'close' }),
  });
  if (res.req.complete) res.end(text);
  else closeAfterBody(res, text);
}
