import type { JsonObject } from './pdu.ts';
import { signJson, type SigningKey } from './signing.ts';

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
