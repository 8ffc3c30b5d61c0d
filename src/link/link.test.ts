import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { OutgoingHttpHeaders } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { offerLink } from '../cluster/rpc/offer-link.ts';
import { createRpcServer, type RpcServer } from '../cluster/rpc/server.ts';
import type { HttpResponse, WholeRequest } from '../http/exchange.ts';
import { createLog } from '../kernel/log.ts';
import { createLinkServer } from './link-server.ts';
import { windowBytes } from './linked-response.ts';
import { Link, type LinkTaker } from './link.ts';

const secret = 'a secret';
const silent = createLog('error');
const getHead = JSON.stringify(['GET', '/x', {}]);
const none = Buffer.alloc(0);

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

/** A link that is being opened. */
async function linkTo(t: TestContext, rpc: RpcServer, given: string, closed = () => {}) {
  rpc.server.listen(0, '127.0.0.1');
  await once(rpc.server, 'listening');
  t.after(() => rpc.close());
  const { port } = rpc.server.address() as AddressInfo;
  const link = new Link(`127.0.0.1:${port}`, given, closed);
  t.after(() => link.destroy());
  return link;
}

/** A worker's end, and an open link to it. */
async function linked(
  t: TestContext,
  answer: (req: WholeRequest, res: HttpResponse) => void,
  given = secret,
) {
  const links = createLinkServer(answer);
  const rpc = createRpcServer(
    secret,
    async () => null,
    silent,
    (socket) => links.accept(socket),
  );
  const state = { isClosed: false };
  const link = await linkTo(t, rpc, given, () => (state.isClosed = true));
  await until(() => link.isOpen || state.isClosed);
  return { link, links, rpc, state };
}

interface Told {
  status?: number;
  headers?: string[];
  text: string;
  bytes: number;
  isWhole: boolean;
  failure?: string;
}

function taker(): { told: Told; taker: LinkTaker; over: Promise<Told> } {
  const told: Told = { text: '', bytes: 0, isWhole: false };
  let done: (told: Told) => void;
  const over = new Promise<Told>((resolve) => (done = resolve));
  const body = (chunk: Buffer) => {
    told.bytes += chunk.length;
    if (told.bytes < 1000) told.text += chunk.toString();
  };
  const end = () => {
    told.isWhole = true;
    done(told);
  };
  return {
    told,
    over,
    taker: {
      head: (status, headers) => Object.assign(told, { status, headers }),
      body,
      end,
      answer(status, headers, chunk) {
        Object.assign(told, { status, headers });
        body(chunk);
        end();
      },
      failed(error) {
        told.failure = error.message;
        done(told);
      },
    },
  };
}

/** Lets minutes pass until it holds. */
async function inMinutes(t: TestContext, holds: () => boolean): Promise<void> {
  for (let s = 0; s < 300 && !holds(); s += 10) {
    t.mock.timers.tick(10_000);
    // oxlint-disable-next-line no-await-in-loop
    for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(holds());
}

/** Everything is closed before the timers are real again: theirs are to be cleared as they were set. */
async function settle(rpc: RpcServer, link: Link): Promise<void> {
  link.destroy();
  await rpc.close();
  await new Promise((resolve) => setImmediate(resolve));
}

test('a worker that falls silent is taken for gone, and its requests are told once', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const rpc = createRpcServer(
    secret,
    async () => null,
    silent,
    () => undefined,
  );
  let isClosed = false;
  const link = await linkTo(t, rpc, secret, () => (isClosed = true));
  await until(() => link.isOpen);
  const shared: boolean[] = [];
  for (let i = 0; i < 3; i++) {
    const failed = (_: Error, isShared: boolean) => void shared.push(isShared);
    link.send(getHead, none, { ...taker().taker, failed });
  }
  await inMinutes(t, () => isClosed);
  assert.deepEqual(shared, [false, true, true]);
  await settle(rpc, link);
});

test('a router that falls silent is taken for gone', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { rpc, link } = await linked(t, () => undefined);
  const { port } = rpc.server.address() as AddressInfo;
  const socket = connect({ port, host: '127.0.0.1' });
  let [isOpen, isClosed] = [false, false];
  socket.on('close', () => (isClosed = true));
  offerLink(socket, secret, () => (isOpen = true));
  await until(() => isOpen);
  socket.resume();
  await inMinutes(t, () => isClosed);
  await settle(rpc, link);
});

test('a link without requests stays', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let heard = 0;
  const links = createLinkServer((_req, res) => res.end('a'));
  const rpc = createRpcServer(
    secret,
    async () => null,
    silent,
    (socket) => {
      links.accept(socket);
      socket.on('data', () => heard++);
    },
  );
  const link = await linkTo(t, rpc, secret);
  await until(() => link.isOpen);
  for (let beat = 1; beat <= 20; beat++) {
    t.mock.timers.tick(10_000);
    // oxlint-disable-next-line no-await-in-loop
    await until(() => heard >= beat);
  }
  const one = taker();
  link.send(getHead, none, one.taker);
  assert.equal((await one.over).text, 'a');
  await settle(rpc, link);
});

test('many requests at once, each gets its own answer', async (t) => {
  const { link } = await linked(t, (req, res) => {
    const answer = () => {
      res.writeHead(201, { 'X-Url': req.url, 'Set-Cookie': ['a=1', 'b=2'], Gone: undefined });
      res.end(`${req.method} ${req.wholeBody.toString()} ${req.headers['x-a'] as string}`);
    };
    // Not in their order.
    if (req.url.endsWith('1')) setImmediate(answer);
    else answer();
  });
  const all = await Promise.all(
    Array.from({ length: 50 }, (_, i) => {
      const one = taker();
      const head = JSON.stringify(['PUT', `/${i}`, { 'x-a': 'ü' }]);
      link.send(head, Buffer.from(`body ${i} ü`), one.taker);
      return one.over;
    }),
  );
  all.forEach((told, i) => {
    assert.equal(told.status, 201);
    assert.deepEqual(told.headers, ['X-Url', `/${i}`, 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2']);
    assert.equal(told.text, `PUT body ${i} ü ü`);
  });
});

test('a long answer comes whole, also one that is sent at once', async (t) => {
  const bytes = 3 * windowBytes + 17;
  const { link } = await linked(t, (_req, res) => {
    res.writeHead(200, {});
    res.end(Buffer.alloc(bytes));
  });
  const one = taker();
  link.send(getHead, none, one.taker);
  const told = await one.over;
  assert.deepEqual([told.status, told.bytes, told.isWhole], [200, bytes, true]);
});

test('a client that does not read holds up the worker, and nobody else', async (t) => {
  let written = 0;
  const piece = 'x'.repeat(50_000);
  const { link } = await linked(t, (req, res) => {
    res.writeHead(200, {});
    if (req.url === '/short') {
      res.end('short');
      return;
    }
    const more = () => {
      while (written < 40) {
        written++;
        if (!res.write(piece)) {
          res.once('drain', more);
          return;
        }
      }
      res.end();
    };
    more();
  });
  const slow = taker();
  const exchange = link.send(getHead, none, slow.taker);
  exchange.pause();
  const quick = taker();
  link.send(JSON.stringify(['GET', '/short', {}]), none, quick.taker);
  assert.equal((await quick.over).text, 'short');
  await until(() => slow.told.bytes >= windowBytes);
  assert.ok(written * piece.length <= windowBytes + 2 * piece.length, `${written} pieces`);
  exchange.resume();
  assert.equal((await slow.over).bytes, 40 * piece.length);
});

test('what a writer gives is told to be written when it is on its way', async (t) => {
  const order: string[] = [];
  let closed = 0;
  const { link } = await linked(t, (_req, res) => {
    res.on('close', () => closed++);
    res.writeHead(200, {});
    res.write(Buffer.alloc(2 * windowBytes), () => {
      order.push('written');
      res.end();
    });
    order.push('called');
  });
  const one = taker();
  link.send(getHead, none, one.taker);
  assert.equal((await one.over).bytes, 2 * windowBytes);
  assert.deepEqual(order, ['called', 'written']);
  assert.equal(closed, 1);
});

test('who waits for something to be written is told when the client is gone', async (t) => {
  let told: Error | null | undefined = undefined;
  const { link } = await linked(t, (_req, res) => {
    res.writeHead(200, {});
    res.write(Buffer.alloc(2 * windowBytes), (error) => (told = error));
  });
  const one = taker();
  const exchange = link.send(getHead, none, one.taker);
  exchange.pause();
  await until(() => one.told.bytes >= windowBytes);
  exchange.cancel();
  await until(() => told !== undefined);
  assert.match(String(told), /gone/);
});

test('heads that HTTP does not have are refused where they are made', async (t) => {
  const refused: unknown[] = [];
  const { link } = await linked(t, (_req, res) => {
    for (const headers of [
      { Location: 'https://a.example/\r\nSet-Cookie: a=1' },
      { Location: 'https://a.example/\u0142' },
      { 'Not a name': 'a' },
      { Many: ['a', 'b\n'] },
      { Long: 'x'.repeat(300 * 1024) },
    ] as OutgoingHttpHeaders[]) {
      assert.throws(
        () => res.writeHead(200, headers),
        (error) => refused.push(error) > 0,
      );
      assert.equal(res.headersSent, false);
    }
    res.writeHead(500, {});
    res.end();
  });
  const one = taker();
  link.send(getHead, none, one.taker);
  assert.equal((await one.over).status, 500);
  assert.equal(refused.length, 5);
});

test('an answer that cannot be passed on concerns nobody else', async (t) => {
  const open: HttpResponse[] = [];
  const { link, state } = await linked(t, (_req, res) => void open.push(res));
  const wrong = () => {
    throw new Error('of no use');
  };
  const others = [taker(), taker()];
  const bad = [taker(), taker()];
  Object.assign(bad[0]!.taker, { answer: wrong });
  Object.assign(bad[1]!.taker, { head: wrong });
  for (const one of [...bad, ...others]) link.send(getHead, none, one.taker);
  await until(() => open.length === 4);
  open[0]!.writeHead(200, {});
  open[0]!.end('a');
  open[1]!.writeHead(200, {});
  open[1]!.write('a');
  for (const one of bad) assert.equal((await one.over).failure, 'of no use');
  await until(() => open[1]!.destroyed);
  for (const [i, one] of others.entries()) {
    open[i + 2]!.writeHead(200, {});
    open[i + 2]!.end('b');
    assert.equal((await one.over).text, 'b');
  }
  assert.deepEqual([link.isOpen, state.isClosed], [true, false]);
});

test('a worker that does not read is known to be behind, until it reads again', async (t) => {
  let socket: Socket | null = null;
  const links = createLinkServer((_req, res) => res.end('read'));
  const rpc = createRpcServer(
    secret,
    async () => null,
    silent,
    (given) => (socket = given),
  );
  const link = await linkTo(t, rpc, secret);
  await until(() => link.isOpen && socket !== null);
  socket!.pause();
  const body = Buffer.alloc(64 * 1024);
  const all: ReturnType<typeof taker>[] = [];
  assert.equal(link.isBehind, false);
  for (let i = 0; i < 500 && !link.isBehind; i++) {
    const one = taker();
    all.push(one);
    link.send(getHead, body, one.taker);
    // oxlint-disable-next-line no-await-in-loop
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(link.isBehind, true);
  links.accept(socket!);
  socket!.resume();
  for (const one of all) assert.equal((await one.over).text, 'read');
  assert.equal(link.isBehind, false);
});

test('a request that is given up is told to the worker, and nothing of it comes', async (t) => {
  let closed = 0;
  let late: HttpResponse | null = null;
  const { link } = await linked(t, (_req, res) => {
    res.on('close', () => closed++);
    late = res;
  });
  const one = taker();
  const exchange = link.send(getHead, none, one.taker);
  await until(() => late !== null);
  exchange.cancel();
  await until(() => closed === 1);
  assert.equal(late!.destroyed, true);
  late!.writeHead(200, {});
  late!.end('too late');
  const next = taker();
  link.send(getHead, none, next.taker);
  late = null;
  await until(() => late !== null);
  late!.writeHead(200, {});
  late!.end('in time');
  assert.equal((await next.over).text, 'in time');
  assert.equal(one.told.status, undefined);
});

test('answers to HEAD and those without content have no body', async (t) => {
  const { link } = await linked(t, (req, res) => {
    res.writeHead(req.method === 'HEAD' ? 200 : 304, { 'Content-Length': 4 });
    res.end('body');
  });
  for (const [method, status] of [
    ['HEAD', 200],
    ['GET', 304],
  ] as const) {
    const one = taker();
    link.send(JSON.stringify([method, '/', {}]), none, one.taker);
    const told = await one.over;
    assert.deepEqual([told.status, told.bytes], [status, 0]);
    assert.deepEqual(told.headers, ['Content-Length', '4']);
  }
});

test('an answer that breaks off fails, before its head and after', async (t) => {
  const { link } = await linked(t, (req, res) => {
    if (req.url === '/begun') {
      res.writeHead(200, {});
      res.write('x');
    }
    res.destroy();
  });
  for (const url of ['/', '/begun']) {
    const one = taker();
    link.send(JSON.stringify(['GET', url, {}]), none, one.taker);
    const told = await one.over;
    assert.equal(told.isWhole, false);
    assert.match(told.failure!, /broke/);
  }
});

test('a worker that stops answers what it has; then the link closes', async (t) => {
  const open: HttpResponse[] = [];
  const { link, links, state } = await linked(t, (_req, res) => void open.push(res));
  const one = taker();
  link.send(getHead, none, one.taker);
  await until(() => open.length === 1);
  const closing = links.close(60_000);
  await until(() => !link.isOpen);
  assert.equal(state.isClosed, false);
  open[0]!.writeHead(200, {});
  open[0]!.end('the last');
  assert.equal((await one.over).text, 'the last');
  await closing;
  await until(() => state.isClosed);
});

test('a worker that waited long enough breaks off', async (t) => {
  const open: HttpResponse[] = [];
  const { link, links } = await linked(t, (_req, res) => void open.push(res));
  const one = taker();
  link.send(getHead, none, one.taker);
  await until(() => open.length === 1);
  await links.close(0);
  assert.match((await one.over).failure!, /closed/);
  assert.equal(open[0]!.destroyed, true);
});

test('who does not know the secret gets no link', async (t) => {
  const { link, state } = await linked(t, () => assert.fail(), 'another');
  assert.deepEqual([state.isClosed, link.isOpen], [true, false]);
});
