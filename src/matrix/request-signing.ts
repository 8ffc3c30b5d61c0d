import type { JsonObject } from './pdu.ts';
import { signJson, verifySignedJson, type SigningKey } from './signing.ts';

/** A request to another server, as far as it is signed. */
export interface SignedParts {
  method: string;
  /** Path and query, `/_matrix/…`, just as they are sent. */
  uri: string;
  /** Server name before any delegation. */
  destination: string;
  /** The JSON of the body; absent without one. */
  content?: JsonObject;
}

const quoted = (value: string) => `"${value.replaceAll(/["\\]/g, '\\$&')}"`;

/** `Authorization` of a request to another server (server-server spec, "Request Authentication"). */
export function requestAuthorization(
  { method, uri, destination, content }: SignedParts,
  origin: string,
  key: SigningKey,
): string {
  const request: JsonObject = { method, uri, origin, destination };
  if (content !== undefined) request['content'] = content;
  const { signatures } = signJson(request, origin, key) as {
    signatures?: Record<string, Record<string, string>>;
  };
  const signature = signatures![origin]![key.id]!;
  const parts = { origin, destination, key: key.id, sig: signature };
  const fields = Object.entries(parts).map(([name, value]) => `${name}=${quoted(value)}`);
  return `X-Matrix ${fields.join(',')}`;
}

/** What a server says of itself in `Authorization`. */
export interface RequestSignature {
  origin: string;
  /** Null: servers older than version 1.3 of the specification do not say. */
  destination: string | null;
  keyId: string;
  signature: string;
}

const scheme = /^X-Matrix +/i;
/** Name, and a value in quotes or without; colons and more are let through without. */
const parameter =
  /[ \t]*([a-z0-9_-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))[ \t]*(?:,|$)/giy;

/** Reads the `Authorization` of a request between servers; null: it is none. */
export function parseRequestAuthorization(header: string): RequestSignature | null {
  const begin = scheme.exec(header)?.[0].length;
  if (begin === undefined) return null;
  const values = new Map<string, string>();
  parameter.lastIndex = begin;
  for (let at = begin; at < header.length; at = parameter.lastIndex) {
    const match = parameter.exec(header);
    if (!match) return null;
    const [, name = '', inQuotes, plain = ''] = match;
    values.set(name.toLowerCase(), inQuotes?.replaceAll(/\\(.)/g, '$1') ?? plain);
  }
  const [origin, keyId, signature] = ['origin', 'key', 'sig'].map((name) => values.get(name));
  if (!origin || !keyId || !signature) return null;
  return { origin, keyId, signature, destination: values.get('destination') ?? null };
}

/** Whether the signature is the origin's, by the key, on the request. */
export function isSignedRequest(
  { method, uri, destination, content }: SignedParts,
  { origin, keyId, signature, destination: named }: RequestSignature,
  publicKey: string,
): boolean {
  const request: JsonObject = { method, uri, origin };
  if (named !== null) request['destination'] = destination;
  if (content !== undefined) request['content'] = content;
  request['signatures'] = { [origin]: { [keyId]: signature } };
  return verifySignedJson(request, origin, { id: keyId, publicKey });
}
