import assert from 'node:assert/strict';
import { checkResponse } from '../spec/responses.ts';

// oxlint-disable-next-line typescript/no-explicit-any -- answers are looked into in every direction
export type Json = Record<string, any>;

/** An answer of the server. */
export interface Answer {
  status: number;
  body: Json;
}

let count = 0;
/** A name that no other test uses. */
export const uniqueName = (prefix: string) => `${prefix}${process.pid}x${++count}`;

/** A user of the client-server API. Every answer is held against the specification. */
export class TestClient {
  readonly url: string;
  userId = '';
  token: string | null = null;
  deviceId = '';
  #transactions = 0;

  constructor(url: string) {
    this.url = url;
  }

  static async register(url: string, prefix = 'user'): Promise<TestClient> {
    const client = new TestClient(url);
    const username = uniqueName(prefix);
    const body = await client.ok('POST', '/_matrix/client/v3/register', {
      username,
      password: `password of ${username}`,
      auth: { type: 'm.login.dummy' },
    });
    client.userId = body['user_id'] as string;
    client.token = body['access_token'] as string;
    client.deviceId = body['device_id'] as string;
    return client;
  }

  async request(method: string, path: string, body?: unknown): Promise<Answer> {
    const response = await fetch(this.url + path, {
      method,
      headers: this.token === null ? {} : { Authorization: `Bearer ${this.token}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const json = (text === '' ? {} : JSON.parse(text)) as Json;
    checkResponse(method, path, response.status, json);
    return { status: response.status, body: json };
  }

  /** The body of an answer that must be 200. */
  async ok(method: string, path: string, body?: unknown): Promise<Json> {
    const answer = await this.request(method, path, body);
    assert.equal(answer.status, 200, `${method} ${path}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /** The code of an answer that must be an error. */
  async refused(method: string, path: string, body?: unknown): Promise<string> {
    const answer = await this.request(method, path, body);
    assert.notEqual(answer.status, 200, `${method} ${path} was let through`);
    return `${answer.status} ${String(answer.body['errcode'])}`;
  }

  room(roomId: string): string {
    return `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}`;
  }

  async createRoom(wish: Json = {}): Promise<string> {
    return (await this.ok('POST', '/_matrix/client/v3/createRoom', wish))['room_id'] as string;
  }

  async join(roomId: string): Promise<void> {
    await this.ok('POST', `/_matrix/client/v3/join/${encodeURIComponent(roomId)}`, {});
  }

  async send(roomId: string, text: string, txnId = `t${++this.#transactions}`): Promise<string> {
    const path = `${this.room(roomId)}/send/m.room.message/${encodeURIComponent(txnId)}`;
    const body = await this.ok('PUT', path, { msgtype: 'm.text', body: text });
    return body['event_id'] as string;
  }

  async setState(roomId: string, type: string, content: Json, stateKey = ''): Promise<string> {
    const path = `${this.room(roomId)}/state/${type}/${encodeURIComponent(stateKey)}`;
    return (await this.ok('PUT', path, content))['event_id'] as string;
  }

  sync(query: Record<string, string> = {}): Promise<Json> {
    return this.ok('GET', `/_matrix/client/v3/sync?${new URLSearchParams(query).toString()}`);
  }

  /**
   * A sync that has what is looked for. Other things wake who waits as well (somebody's presence), and
   * on a worker set another process answers than the one that has written, an instant later.
   */
  async syncUntil(query: Record<string, string>, isThere: (sync: Json) => boolean): Promise<Json> {
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop
      const sync = await this.sync({ timeout: '1000', ...query });
      if (isThere(sync)) return sync;
    }
  }
}
