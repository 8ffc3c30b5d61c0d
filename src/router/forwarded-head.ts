import type { IncomingMessage } from 'node:http';
import type { ForwardedRequest } from './upstream-channel.ts';

/** How the body of a request is delimited. */
export type BodyFraming = 'none' | 'length' | 'chunked';

/** Headers that are about one connection (RFC 9110, 7.6.1), and those the router sets itself. */
const notForwarded = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'x-forwarded-for',
  'x-forwarded-proto',
]);

const ofConnection = new Set(['connection', 'keep-alive', 'transfer-encoding', 'proxy-connection']);

export function framingOf({ headers }: IncomingMessage): BodyFraming {
  if (headers['transfer-encoding'] !== undefined) return 'chunked';
  const length = headers['content-length'];
  return length === undefined || length === '0' ? 'none' : 'length';
}

/** What no client can have dropped by naming it: the worker would take the body for a request. */
const alwaysForwarded = new Set(['content-length', 'host', 'authorization']);

/** Names that `Connection` lists are about the connection, too. */
function namedBy(connection: string | undefined): readonly string[] {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return [];
  const names = connection.split(',').map((name) => name.trim().toLowerCase());
  return names.filter((name) => !alwaysForwarded.has(name));
}

/** The address of the client and how it came, as the next one is to be told. */
function forwarded({ req, isForwarded, isSecure }: ForwardedRequest): {
  by: string;
  proto: string;
} {
  const { headers, socket } = req;
  const remote = socket.remoteAddress ?? '';
  const before = isForwarded ? headers['x-forwarded-for'] : undefined;
  const proto = isForwarded ? headers['x-forwarded-proto'] : undefined;
  return {
    by: before ? `${String(before)}, ${remote}` : remote,
    proto: proto ? String(proto) : isSecure ? 'https' : 'http',
  };
}

/** The head of a request as it goes to a worker by HTTP. */
export function requestHead(request: ForwardedRequest): string {
  const { req, framing } = request;
  const { rawHeaders, headers } = req;
  const dropped = namedBy(headers.connection);
  let head = `${req.method} ${req.url} HTTP/1.1\r\n`;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    if (notForwarded.has(name) || (dropped.length > 0 && dropped.includes(name))) continue;
    if (framing === 'chunked' && name === 'content-length') continue;
    head += `${rawHeaders[i]}: ${rawHeaders[i + 1]}\r\n`;
  }
  // HTTP/1.0 clients need not name the host, workers need a name.
  if (headers.host === undefined) head += 'Host: localhost\r\n';
  const { by, proto } = forwarded(request);
  head += `X-Forwarded-For: ${by}\r\nX-Forwarded-Proto: ${proto}\r\n`;
  if (framing === 'chunked') head += 'Transfer-Encoding: chunked\r\n';
  return `${head}\r\n`;
}

/** The head of a request as it goes to a worker over a link: JSON, `[method, url, headers]`. */
export function linkHead(request: ForwardedRequest): string {
  const { method, url, headers } = request.req;
  const dropped = namedBy(headers.connection);
  const { by, proto } = forwarded(request);
  const kept: Record<string, unknown> = { 'x-forwarded-for': by, 'x-forwarded-proto': proto };
  for (const name in headers) {
    if (notForwarded.has(name) || (dropped.length > 0 && dropped.includes(name))) continue;
    kept[name] = headers[name];
  }
  return JSON.stringify([method, url, kept]);
}

/** The headers of a worker's answer that are for the client. */
export function responseHeaders(headers: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    if (!ofConnection.has(headers[i]!.toLowerCase())) kept.push(headers[i]!, headers[i + 1]!);
  }
  return kept;
}
