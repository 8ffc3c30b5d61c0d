import { corsHeaders } from './cors.ts';
import { JsonText, Reply, StreamedBody } from './endpoint.ts';
import type { HttpResponse } from './exchange.ts';

const json = 'application/json';

/** Longer texts are encoded once instead of measured first; shorter ones go with the headers. */
const encodedFrom = 16 * 1024;

/** What every answer has, and what an endpoint has set besides. */
interface Head {
  status: number;
  requestId: string;
  /** Null: nothing. */
  extra: Record<string, string> | null;
}

function writeHead(
  res: HttpResponse,
  { status, requestId, extra }: Head,
  type: string,
  length?: number,
): void {
  // Nothing is spread but the first: each further object costs as much as all the rest.
  const headers: Record<string, string | number> = {
    ...corsHeaders,
    'Content-Type': type,
    'X-Request-Id': requestId,
  };
  if (length !== undefined) headers['Content-Length'] = length;
  res.writeHead(status, extra ? Object.assign(headers, extra) : headers);
}

function sendText(res: HttpResponse, head: Head, text: string, type: string): void {
  if (text.length >= encodedFrom) {
    sendBytes(res, head, Buffer.from(text), type);
    return;
  }
  const length = Buffer.byteLength(text);
  writeHead(res, head, type, length);
  // What has a byte for each character is copied instead of encoded.
  res.end(text, length === text.length ? 'latin1' : 'utf8');
}

function sendBytes(res: HttpResponse, head: Head, bytes: Uint8Array, type: string): void {
  writeHead(res, head, type, bytes.length);
  res.end(bytes);
}

/** Settles when the client has read enough, or is gone. Leaves no listener behind. */
function drained(res: HttpResponse): Promise<void> {
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

/** Writes a piece; settles when the client keeps up. False: it has gone. */
export async function written(res: HttpResponse, piece: string | Uint8Array): Promise<boolean> {
  if (!res.destroyed && !res.write(piece) && !res.destroyed) await drained(res);
  return !res.destroyed;
}

/** Writes piece by piece, no faster than the client reads. */
async function stream(res: HttpResponse, head: Head, body: StreamedBody): Promise<void> {
  let isStarted = false;
  for await (const piece of body.pieces) {
    // The first piece shows that the answer can be made; until then an error can be told.
    if (!isStarted) writeHead(res, head, body.contentType);
    isStarted = true;
    // oxlint-disable-next-line no-await-in-loop -- one piece after the other
    if (!(await written(res, piece))) return;
  }
  if (!isStarted) writeHead(res, head, body.contentType);
  res.end();
}

/** Sends what a handler has returned. A promise only when that takes more than one write. */
export function respond(
  res: HttpResponse,
  answer: unknown,
  requestId: string,
): Promise<void> | void {
  const isReply = answer instanceof Reply;
  const head = isReply
    ? { status: answer.status, requestId, extra: answer.headers }
    : { status: 200, requestId, extra: null };
  const body = isReply ? answer.body : answer;
  if (body instanceof JsonText) sendText(res, head, body.text, json);
  else if (body instanceof StreamedBody) return stream(res, head, body);
  else if (body instanceof Uint8Array) sendBytes(res, head, body, 'application/octet-stream');
  else if (typeof body === 'string') sendText(res, head, body, 'text/plain; charset=utf-8');
  else if (body === undefined || body === null) sendText(res, head, '', 'text/plain');
  else sendText(res, head, JSON.stringify(body), json);
}
