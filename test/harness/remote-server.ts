import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { createTestCertificate } from '../../src/http/test-certificate.ts';
import type { JsonObject } from '../../src/matrix/pdu.ts';
import { requestAuthorization } from '../../src/matrix/request-signing.ts';
import {
  generateSigningKeyLine,
  parseSigningKey,
  signJson,
  type SigningKey,
} from '../../src/matrix/signing.ts';
import { checkResponse } from '../spec/responses.ts';

/** A status and a body; bytes with the headers that are given. */
export type RemoteAnswer =
  | [status: number, body: JsonObject]
  | [status: number, body: Uint8Array, headers: Record<string, string>];

/** A request that came to the remote server. */
export interface RemoteRequest {
  method: string;
  /** Path and query. */
  uri: string;
  authorization: string;
  /** `{}` without a body. */
  content: JsonObject;
}

/** What the server under test answers. */
export interface FederationAnswer {
  status: number;
  body: JsonObject;
}

/** Another homeserver, over TLS on loopback, that does as a test says. */
export interface RemoteServer {
  /** `localhost:<port>` */
  name: string;
  key: SigningKey;
  /** All that it was asked but for its keys. */
  asked: RemoteRequest[];
  /** What it answers; by default 404. Null: not this one. */
  answer(request: RemoteRequest): RemoteAnswer | Promise<RemoteAnswer> | null;
  /** What it publishes as its keys. */
  publishedKeys(): JsonObject;
  /** Times that it was asked for its keys. */
  keyRequests: number;
  /** Sends a signed request to the server at a URL. `signal`: breaks it off. */
  fetch(
    url: string,
    method: string,
    uri: string,
    content?: JsonObject,
    signal?: AbortSignal,
  ): Promise<Response>;
  /** The same for an answer that is a JSON object; the answer is held against the specification. */
  request(
    url: string,
    method: string,
    uri: string,
    content?: JsonObject,
  ): Promise<FederationAnswer>;
  /** Goes away, and comes back under the same name. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

const hourMs = 3_600_000;

/** `serverName`: of the server that it sends requests to. */
export async function startRemoteServer(serverName = 'test.example'): Promise<RemoteServer> {
  const { certificate, key: tlsKey } = createTestCertificate();
  const key = parseSigningKey(generateSigningKeyLine('remote'));

  async function answerOf(request: RemoteRequest): Promise<RemoteAnswer> {
    if (request.uri.startsWith('/_matrix/key/v2/server')) {
      remote.keyRequests++;
      return [200, remote.publishedKeys()];
    }
    remote.asked.push(request);
    const answer = await remote.answer(request);
    return answer ?? [404, { errcode: 'M_UNRECOGNIZED', error: 'Unrecognized request' }];
  }
  const server = createServer({ cert: certificate, key: tlsKey }, (req, res) => {
    const reply = async (body: string) => {
      const content = body === '' ? {} : (JSON.parse(body) as JsonObject);
      const { method = '', url: uri = '', headers } = req;
      const request = { method, uri, content, authorization: headers.authorization ?? '' };
      const [status, answer, extra] = await answerOf(request);
      res.writeHead(status, { 'Content-Type': 'application/json', ...extra });
      res.end(answer instanceof Uint8Array ? answer : JSON.stringify(answer));
    };
    void text(req).then(reply);
  });
  let port = 0;
  const remote: RemoteServer = {
    name: '',
    key,
    asked: [],
    keyRequests: 0,
    answer: () => null,
    publishedKeys: () =>
      signJson(
        {
          server_name: remote.name,
          valid_until_ts: Date.now() + hourMs,
          verify_keys: { [remote.key.id]: { key: remote.key.publicKey } },
          old_verify_keys: {},
        },
        remote.name,
        remote.key,
      ),
    fetch(url, method, uri, content, signal) {
      const signed = { method, uri, destination: serverName };
      const parts = content === undefined ? signed : { ...signed, content };
      return fetch(url + uri, {
        method,
        headers: { Authorization: requestAuthorization(parts, remote.name, remote.key) },
        ...(content === undefined ? {} : { body: JSON.stringify(content) }),
        ...(signal ? { signal } : {}),
      });
    },
    async request(url, method, uri, content) {
      const response = await remote.fetch(url, method, uri, content);
      const body = (await response.json()) as JsonObject;
      checkResponse(method, uri, response.status, body);
      return { status: response.status, body };
    },
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
    async start() {
      server.listen(port, 'localhost');
      await once(server, 'listening');
    },
  };
  await remote.start();
  ({ port } = server.address() as AddressInfo);
  remote.name = `localhost:${port}`;
  return remote;
}
