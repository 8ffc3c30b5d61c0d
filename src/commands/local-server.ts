import { request, type RequestOptions } from 'node:http';
import { request as requestByTls } from 'node:https';
import { isIPv6 } from 'node:net';
import type { Config } from '../config/config.ts';
import { isLoopback } from '../config/loopback.ts';

/** How a server on this machine, or one by its URL, is reached. */
export interface Target {
  /** For messages. */
  name: string;
  isTls: boolean;
  options: RequestOptions & { rejectUnauthorized?: boolean };
}

const timeoutMs = 30_000;

function byUrl(url: string): Target {
  const parsed = URL.parse(url);
  if (!parsed || (parsed.protocol !== 'http:' && parsed.protocol !== 'https:')) {
    throw new Error(`${url} is not a web address such as http://127.0.0.1:8008`);
  }
  const { protocol, hostname, port, href } = parsed;
  const host = hostname.replace(/^\[|\]$/g, '');
  // The certificate is for the server's name, and nobody else is at an address of this machine.
  const rejectUnauthorized = !isLoopback(host) && host !== 'localhost';
  return {
    name: href.replace(/\/$/, ''),
    isTls: protocol === 'https:',
    options: { host, port: port || undefined, rejectUnauthorized },
  };
}

/** `0.0.0.0` and `::` are reached by loopback. */
const reachable = (address: string) =>
  address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address;

/** The first listener that offers the admin API, one without TLS before others. */
export function targetOf(url: string | undefined, config: Config | null): Target {
  if (url !== undefined) return byUrl(url);
  const offering = (config?.listeners ?? [])
    .filter(({ resources }) => resources.includes('admin'))
    .toSorted((a, b) => Number(a.tls) - Number(b.tls));
  const listener = offering[0];
  if (!listener) return byUrl('http://127.0.0.1:8008');
  const { at, tls } = listener;
  if ('path' in at) return { name: at.path, isTls: false, options: { socketPath: at.path } };
  const host = reachable(at.addresses[0] ?? '127.0.0.1');
  return byUrl(`${tls ? 'https' : 'http'}://${isIPv6(host) ? `[${host}]` : host}:${at.port}`);
}

/** An answer that is an error of Matrix. */
export class ServerRefusal extends Error {
  readonly errcode: string;
  constructor(status: number, errcode: string, message: string) {
    super(`the server answered ${status} ${errcode}: ${message}`);
    this.errcode = errcode;
  }
}

function send(target: Target, path: string, body: string | null) {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  const begin = target.isTls ? requestByTls : request;
  const headers = body === null ? {} : { 'content-type': 'application/json' };
  const method = body === null ? 'GET' : 'POST';
  const options = {
    ...target.options,
    path,
    method,
    headers,
    signal: AbortSignal.timeout(timeoutMs),
  };
  const sent = begin(options, (response) => {
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => (text += chunk));
    response.once('error', reject);
    response.once('end', () => resolve({ status: response.statusCode ?? 0, text }));
  });
  sent.once('error', reject);
  sent.end(body ?? undefined);
  return promise;
}

/** GET, or POST with a body. Throws ServerRefusal, or an Error that says why there is no answer. */
export async function callServer(
  target: Target,
  path: string,
  body?: object,
): Promise<Record<string, unknown>> {
  const answer = await send(target, path, body ? JSON.stringify(body) : null).catch(
    (error: NodeJS.ErrnoException) => {
      throw new Error(
        `${target.name} cannot be reached (${error.code ?? error.message}); is the server running?`,
        { cause: error },
      );
    },
  );
  let json: Record<string, unknown>;
  try {
    json = JSON.parse(answer.text) as Record<string, unknown>;
  } catch {
    throw new Error(
      `${target.name} answered ${answer.status} without JSON: is it a Matrix server?`,
    );
  }
  if (answer.status === 200) return json;
  throw new ServerRefusal(answer.status, String(json['errcode']), String(json['error']));
}
