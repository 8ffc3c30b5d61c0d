import assert from 'node:assert/strict';
import type { TestClient } from './client.ts';

/** An `mxc:` URI as `server/id`, as paths have it. */
export const pathOf = (uri: string) => uri.replace(/^mxc:\/\//, '');

/** A request whose body or answer is not JSON, with the client's token. */
export function rawRequest(
  client: TestClient,
  method: string,
  path: string,
  options: {
    headers?: Record<string, string>;
    body?: Uint8Array<ArrayBuffer> | ReadableStream;
  } = {},
): Promise<Response> {
  const authorization: Record<string, string> =
    client.token === null ? {} : { Authorization: `Bearer ${client.token}` };
  const { headers = {}, body } = options;
  return fetch(client.url + path, {
    method,
    headers: { ...authorization, ...headers },
    ...(body === undefined ? {} : { body, duplex: 'half' }),
  });
}

/** Uploads a content; gives its `mxc:` URI. */
export async function upload(
  client: TestClient,
  content: Uint8Array<ArrayBuffer>,
  contentType = 'application/octet-stream',
  fileName?: string,
): Promise<string> {
  const query = fileName === undefined ? '' : `?filename=${encodeURIComponent(fileName)}`;
  const answer = await rawRequest(client, 'POST', `/_matrix/media/v3/upload${query}`, {
    headers: { 'Content-Type': contentType },
    body: content,
  });
  const body = (await answer.json()) as Record<string, string>;
  assert.equal(answer.status, 200, JSON.stringify(body));
  return body['content_uri']!;
}

/** An answer’s status and error code. */
export async function codeOf(answer: Response): Promise<string> {
  const body = (await answer.json()) as Record<string, unknown>;
  return `${answer.status} ${String(body['errcode'])}`;
}

export const downloadPath = (uri: string) => `/_matrix/client/v1/media/download/${pathOf(uri)}`;
export const thumbnailPath = (uri: string, query: string) =>
  `/_matrix/client/v1/media/thumbnail/${pathOf(uri)}?${query}`;
