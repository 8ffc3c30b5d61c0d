import type { ServerResponse } from 'node:http';
import { corsHeaders } from './cors.ts';
import { JsonText, Reply, StreamedBody } from './endpoint.ts';

const json = 'application/json';

/** Longer texts are encoded once instead of measured first; shorter ones go with the headers. */
const encodedFrom = 16 * 1024;

function sendText(
  res: ServerResponse,
  status: number,
  text: string,
  headers: Record<string, string>,
): void {
  if (text.length >= encodedFrom) {
    sendBytes(res, status, Buffer.from(text), { 'Content-Type': json, ...headers });
    return;
  }
  res.writeHead(status, {
    ...corsHeaders,
    'Content-Type': json,
    'Content-Length': Buffer.byteLength(text),
    ...headers,
  });
  res.end(text);
}

function sendBytes(
  res: ServerResponse,
  status: number,
  bytes: Uint8Array,
  headers: Record<string, string>,
): void {
  res.writeHead(status, { ...corsHeaders, 'Content-Length': bytes.length, ...headers });
  res.end(bytes);
}

/** Settles when the client has read enough, or is gone. Leaves no listener behind. */
function drained(res: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      res.off('drain', done);
      res.off('close', done);
      resolve();
    };
    res.on('drain', done);
    res.on('close', done);
  });
}

/** Writes piece by piece, no faster than the client reads. */
async function stream(
  res: ServerResponse,
  status: number,
  body: StreamedBody,
  headers: Record<string, string>,
): Promise<void> {
  let isStarted = false;
  for await (const piece of body.pieces) {
    // The first piece shows that the answer can be made; until then an error can be told.
    if (!isStarted)
      res.writeHead(status, { ...corsHeaders, 'Content-Type': body.contentType, ...headers });
    isStarted = true;
    if (res.destroyed) return;
    if (!res.write(piece) && !res.destroyed) await drained(res);
  }
  if (!isStarted)
    res.writeHead(status, { ...corsHeaders, 'Content-Type': body.contentType, ...headers });
  res.end();
}

/** Sends what a handler has returned. */
export async function respond(
  res: ServerResponse,
  answer: unknown,
  requestId: string,
): Promise<void> {
  const headers: Record<string, string> = { 'X-Request-Id': requestId };
  let status = 200;
  let body = answer;
  if (answer instanceof Reply) {
    ({ status, body } = answer);
    Object.assign(headers, answer.headers);
  }
  if (body instanceof JsonText) sendText(res, status, body.text, headers);
  else if (body instanceof StreamedBody) await stream(res, status, body, headers);
  else if (body instanceof Uint8Array) sendBytes(res, status, body, headers);
  else if (typeof body === 'string') {
    const type = 'text/plain; charset=utf-8';
    sendText(res, status, body, { 'Content-Type': type, ...headers });
  } else if (body === undefined || body === null) {
    sendText(res, status, '', { 'Content-Type': 'text/plain', ...headers });
  } else sendText(res, status, JSON.stringify(body), headers);
}
