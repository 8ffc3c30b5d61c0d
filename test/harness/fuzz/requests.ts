import { Agent, request as httpRequest } from 'node:http';
import { text as textOf } from 'node:stream/consumers';
import fc from 'fast-check';
import type { Endpoint } from '../../../src/http/endpoint.ts';
import { bodyExamples, contentExamples } from './examples.ts';
import { oddJson, oddText, toJsonText } from './odd-values.ts';
import { mutated, valueOf, type Known, type Schema } from './schema-values.ts';
import type { World } from './world.ts';

/** A request as it goes over the wire. */
export interface FuzzRequest {
  operation: string;
  method: string;
  /** Percent-encoded, with its query. */
  path: string;
  requester: keyof World['tokens'];
  body: string | Buffer | null;
}

export interface FuzzAnswer {
  status: number;
  contentType: string;
  body: string;
}

/** Node.js refuses longer headers with a response of its own. */
const segmentMax = 3000;

const unreserved = /^[\w.~!$@:+-]$/;
/**
 * Percent-encodes what is not plain; a lone surrogate as the bytes that an old client makes of it.
 * Nobody sends more of a text than its beginning.
 */
function encode(text: string): string {
  let encoded = '';
  for (const character of text.slice(0, segmentMax)) {
    if (unreserved.test(character)) encoded += character;
    else {
      const code = character.codePointAt(0)!;
      const isLone = code >= 0xd800 && code <= 0xdfff;
      const bytes = isLone
        ? [0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)]
        : [...Buffer.from(character)];
      for (const byte of bytes) encoded += `%${byte.toString(16).padStart(2, '0')}`;
    }
  }
  return encoded;
}

/** Segments that are not well percent-encoded, or encoded twice. */
const rawSegments = fc.constantFrom(
  '%',
  '%2',
  '%zz',
  '%ff%fe',
  '%c0%80',
  '%2525',
  '..',
  '.',
  '%2e',
);

/** Not empty: that would be another endpoint. */
const segment = (text: string) => encode(text).slice(0, segmentMax) || '%20';

const segmentOf = (name: string, known: Known) =>
  fc.oneof(
    { arbitrary: known(name).map(segment), weight: 14 },
    { arbitrary: oddText.map(segment), weight: 2 },
    { arbitrary: rawSegments, weight: 1 },
  );

function pathOf(endpoint: Endpoint, known: Known): fc.Arbitrary<string> {
  const filled = endpoint.paths.map((path) => {
    const parts = path.split('/').map((part) => {
      return part.startsWith(':') ? segmentOf(part.slice(1), known) : fc.constant(part);
    });
    return fc.tuple(...parts).map((segments) => segments.join('/'));
  });
  const [newest, ...older] = filled;
  return older.length === 0 ? newest! : fc.oneof(newest!, fc.oneof(...older));
}

const asText = (value: unknown) => (typeof value === 'string' ? value : toJsonText(value));

function queryOf(endpoint: Endpoint, known: Known): fc.Arbitrary<string> {
  const { properties = {} } = (endpoint.query ?? {}) as Schema;
  // A long poll may take as long as the client says; without a time, half a minute.
  const { timeout, ...others } = properties;
  const first = timeout ? known('timeout').map((text) => [`timeout=${text}`]) : fc.constant([]);
  const pairs = Object.entries(others).map(([name, schema]) => {
    const value = fc.oneof(
      { arbitrary: valueOf(schema, name, known), weight: 3 },
      { arbitrary: fc.oneof(known(name), oddText, oddJson), weight: 1 },
    );
    return value.map((one) => `${encode(name)}=${segment(asText(one))}`);
  });
  const odd = fc.tuple(oddText, oddText).map(([a, b]) => {
    return `${encode(a)}=${encode(b)}`.slice(0, segmentMax);
  });
  const pair =
    pairs.length === 0 ? odd : fc.oneof({ arbitrary: fc.oneof(...pairs), weight: 9 }, odd);
  const some = fc.array(pair, { maxLength: pairs.length === 0 ? 1 : 4 });
  return fc.tuple(first, some).map((lists) => lists.flat().join('&'));
}

const brokenBodies = fc.constantFrom(
  '',
  '{',
  '[]',
  'null',
  '"x"',
  '{"a":\ud800}',
  '\ufeff{}',
  '{} x',
);

function bodyOf(endpoint: Endpoint, known: Known): fc.Arbitrary<string | Buffer | null> {
  const bytes = fc.uint8Array({ maxLength: 64 }).map((array) => Buffer.from(array));
  if (endpoint.method === 'GET') return fc.constant(null);
  if (endpoint.bodyMode === 'none') return fc.oneof(fc.constant(null), bytes);
  const values = valueOf(endpoint.body ?? { type: 'object' }, '', known);
  return fc.oneof(
    { arbitrary: values.map(toJsonText), weight: 9 },
    { arbitrary: mutated(values).map(toJsonText), weight: 9 },
    { arbitrary: fc.oneof(oddJson.map(toJsonText), brokenBodies, bytes), weight: 2 },
  );
}

/** Those who get furthest with an endpoint come most often. */
function requesterOf({ auth }: Endpoint): fc.Arbitrary<FuzzRequest['requester']> {
  const fitting = auth === 'admin' ? 'admin' : 'user';
  return fc.oneof(
    { arbitrary: fc.constant<FuzzRequest['requester']>(fitting), weight: 6 },
    {
      arbitrary: fc.constantFrom<FuzzRequest['requester']>(
        'none',
        'bad',
        'user',
        'other',
        'guest',
        'admin',
      ),
      weight: 4,
    },
  );
}

/** Requests as the schema of an endpoint has them. */
function fromSchema(endpoint: Endpoint, known: Known): fc.Arbitrary<FuzzRequest> {
  return fc
    .tuple(
      pathOf(endpoint, known),
      queryOf(endpoint, known),
      bodyOf(endpoint, known),
      requesterOf(endpoint),
    )
    .map(([path, query, body, requester]) => ({
      operation: endpoint.operation,
      method: endpoint.method,
      path: query === '' ? path : `${path}?${query}`,
      requester,
      body,
    }));
}

/** With a whole body of an example, or with one or two odd parts in it. */
function withExample(
  requests: fc.Arbitrary<FuzzRequest>,
  examples: readonly unknown[],
): fc.Arbitrary<FuzzRequest> {
  const whole = fc.constantFrom(...examples);
  const bodies = fc.oneof(whole, mutated(whole), mutated(whole), mutated(mutated(whole)));
  return fc.tuple(requests, bodies).map(([request, body]) => {
    return { ...request, body: toJsonText(body) };
  });
}

/** Those that send events: the type in the path and the content fit each other. */
function withContent(endpoint: Endpoint, world: World): fc.Arbitrary<FuzzRequest> {
  return fc.constantFrom(...contentExamples(world)).chain(([type, content]) => {
    const known: Known = (name) => (name === 'eventType' ? fc.constant(type) : world.known(name));
    return withExample(fromSchema(endpoint, known), [content]);
  });
}

/** Requests to one endpoint. */
export function requestsTo(endpoint: Endpoint, world: World): fc.Arbitrary<FuzzRequest> {
  const plain = fromSchema(endpoint, world.known);
  if (endpoint.method === 'GET') return plain;
  if (endpoint.paths[0]!.includes(':eventType')) {
    return fc.oneof(
      { arbitrary: plain, weight: 1 },
      { arbitrary: withContent(endpoint, world), weight: 3 },
    );
  }
  const examples = bodyExamples(world)[endpoint.operation];
  return examples ? fc.oneof(plain, withExample(plain, examples)) : plain;
}

const agent = new Agent({ keepAlive: true, maxSockets: 16 });

/** Sends one; rejects when the connection breaks, or nothing is answered in time. */
export function send(
  url: string,
  { method, path, requester, body }: FuzzRequest,
  tokens: World['tokens'],
  timeoutMs: number,
): Promise<FuzzAnswer> {
  const token = tokens[requester];
  const headers: Record<string, string | number> = {
    'Content-Length': body === null ? 0 : Buffer.byteLength(body),
    ...(token === null ? {} : { Authorization: `Bearer ${token}` }),
  };
  const { hostname, port } = new URL(url);
  const signal = AbortSignal.timeout(timeoutMs);
  return new Promise((resolve, reject) => {
    const req = httpRequest({ hostname, port, method, path, headers, agent, signal }, (res) => {
      const contentType = res.headers['content-type'] ?? '';
      textOf(res).then(
        (whole) => resolve({ status: res.statusCode!, contentType, body: whole }),
        reject,
      );
    });
    req.on('error', reject);
    req.end(body);
  });
}
