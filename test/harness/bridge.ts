import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TestClient, type Json } from './client.ts';

/** A transaction as a bridge took it. */
export interface BridgeTransaction extends Json {
  txnId: string;
  events: Json[];
}

/** An application service that tests play. */
export interface Bridge {
  url: string;
  /** What it took, in order; a transaction that comes again is there once. */
  transactions: BridgeTransaction[];
  /** Every request, as method and path with the query. */
  asked: string[];
  /** The status of answers to transactions; null: it does not answer at all. */
  status: number | null;
  /** Called for each question; gives the status. */
  onQuery: (kind: 'users' | 'rooms', id: string) => Promise<number> | number;
  /** Of everything that it took. */
  events(): Json[];
  /** Of everything that it took: the items of a list. */
  items(name: string): Json[];
  stop(): Promise<void>;
}

async function bodyOf(stream: AsyncIterable<Buffer>): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}

/** A bridge that presents nothing and asks for `hs_token`: `hs of <id>`. */
export async function startBridge(id: string): Promise<Bridge> {
  const seen = new Set<string>();
  const server: Server = createServer((req, res) => {
    void (async () => {
      const body = await bodyOf(req as AsyncIterable<Buffer>);
      const url = new URL(req.url!, 'http://bridge');
      bridge.asked.push(`${req.method} ${decodeURIComponent(req.url!)}`);
      const answer = (status: number) => res.writeHead(status).end('{}');
      if (req.headers.authorization !== `Bearer hs of ${id}`) return answer(403);
      const [, kind, rest] = /^\/_matrix\/app\/v1\/(\w+)(?:\/(.+))?$/.exec(url.pathname) ?? [];
      if (kind === 'transactions') {
        if (bridge.status === null) return undefined;
        if (bridge.status === 200 && !seen.has(rest!)) {
          seen.add(rest!);
          const taken = JSON.parse(body) as { events: Json[] };
          bridge.transactions.push({ txnId: rest!, ...taken });
        }
        return answer(bridge.status);
      }
      if (kind === 'users' || kind === 'rooms') {
        return answer(await bridge.onQuery(kind, decodeURIComponent(rest!)));
      }
      return answer(kind === 'ping' ? 200 : 404);
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bridge: Bridge = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    transactions: [],
    asked: [],
    status: 200,
    onQuery: () => 404,
    events: () => bridge.transactions.flatMap(({ events }) => events),
    items: (name) =>
      bridge.transactions.flatMap((transaction) => (transaction[name] ?? []) as Json[]),
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return bridge;
}

/** A registration file; `rest`: further lines. */
export const registrationOf = (id: string, url: string, rest: string) => `
id: ${id}
url: ${url}
as_token: as of ${id}
hs_token: hs of ${id}
sender_localpart: ${id}
rate_limited: false
${rest}
`;

/** A client that acts as a user of the bridge; the bridge's own without one. */
export class BridgeClient extends TestClient {
  /** Query parameters that say whom it acts as. */
  readonly #as: string;

  constructor(url: string, id: string, userId = '', deviceId = '') {
    super(url);
    this.token = `as of ${id}`;
    this.userId = userId === '' ? `@${id}:test.example` : userId;
    this.deviceId = deviceId;
    const query = new URLSearchParams();
    if (userId !== '') query.set('user_id', userId);
    if (deviceId !== '') query.set('device_id', deviceId);
    this.#as = query.toString();
  }

  override request(method: string, path: string, body?: unknown) {
    const as = this.#as === '' ? '' : `${path.includes('?') ? '&' : '?'}${this.#as}`;
    return super.request(method, `${path}${as}`, body);
  }

  /** Registers a user in the bridge's namespace; nothing when there is one. */
  async makeUser(username: string): Promise<void> {
    await this.request('POST', '/_matrix/client/v3/register', {
      type: 'm.login.application_service',
      username,
      inhibit_login: true,
    });
  }
}
