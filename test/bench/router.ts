// CPU of the router per request: `node test/bench/router.ts [requests] [connections]`.
// The worker behind it, the router and the load are processes of their own.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { createLog } from '../../src/kernel/log.ts';
import { Metrics } from '../../src/kernel/metrics.ts';
import { createRouter } from '../../src/router/router.ts';
import { defaultRoutingSettings } from '../../src/routing/apps.ts';
import { createClassifier } from '../../src/routing/classify.ts';
import { routeTable } from '../../src/routing/table.ts';

const answer = JSON.stringify({ event_id: '$abcdefghijklmnopqrstuvwxyz0123456789abcdefg' });
const message = '{"msgtype":"m.text","body":"hello there, this is a message"}';
const settings = defaultRoutingSettings;
const workerCount = 4;

async function runWorker(): Promise<void> {
  const headers = {
    'Content-Type': 'application/json',
    'Content-Length': answer.length,
    'Access-Control-Allow-Origin': '*',
    'Access-Control-Allow-Methods': 'GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS',
    'Access-Control-Allow-Headers': 'X-Requested-With, Content-Type, Authorization, Date, X-Matrix',
    'X-Request-Id': 'PUT-1',
  };
  const server = createServer((req, res) => {
    req.resume();
    req.on('end', () => {
      res.writeHead(200, headers);
      res.end(answer);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.send!((server.address() as AddressInfo).port);
}

async function runRouter(port: number): Promise<void> {
  const address = { host: '127.0.0.1', port };
  const upstreams = Array.from({ length: workerCount }, (_, i) => {
    return { id: `w${i}`, app: 'generic_worker' as const, address, state: 'live' as const };
  });
  const at = { port: 0, addresses: ['127.0.0.1'] };
  const router = createRouter({
    listeners: [{ at, resources: ['client'], tls: null, isForwarded: false }],
    classify: createClassifier(routeTable([], settings), settings),
    log: createLog('warn'),
    metrics: new Metrics(),
    upstreams,
  });
  const [url] = await router.listen();
  process.on('message', () => process.send!(process.cpuUsage()));
  process.send!(Number(new URL(url!).port));
}

/** Sends the same kind of request over and over; settles when all are answered. */
async function load(port: number, count: number, connections: number): Promise<void> {
  let begun = 0;
  await Promise.all(
    Array.from({ length: connections }, async () => {
      const socket = connect(port, '127.0.0.1').setEncoding('latin1');
      await once(socket, 'connect');
      while (begun < count) {
        const n = begun++;
        const path = `/_matrix/client/v3/rooms/!r${n % 500}%3Aexample.org/send/m.room.message/t${n}`;
        socket.write(
          `PUT ${path} HTTP/1.1\r\nHost: example.org\r\nUser-Agent: bench/1.0\r\nAccept: */*\r\n` +
            'Accept-Encoding: gzip\r\nAuthorization: Bearer syt_YWxpY2U_abcdefghijklmnopqrst_0abcde\r\n' +
            `Content-Type: application/json\r\nContent-Length: ${message.length}\r\n\r\n${message}`,
        );
        let text = '';
        while (!text.endsWith(answer)) {
          // oxlint-disable-next-line no-await-in-loop
          text += String((await once(socket, 'data'))[0]);
        }
      }
      socket.destroy();
    }),
  );
}

async function cpuMicros(router: ChildProcess): Promise<number> {
  const answered = once(router, 'message');
  router.send('cpu');
  const [{ user, system }] = (await answered) as [NodeJS.CpuUsage];
  return user + system;
}

async function measure(count: number, connections: number): Promise<void> {
  const start = async (...args: string[]): Promise<[ChildProcess, number]> => {
    const flags = ['--disable-warning=ExperimentalWarning', '--no-lazy-feedback-allocation'];
    const child = spawn(process.execPath, [...flags, import.meta.filename, ...args], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    return [child, (await once(child, 'message'))[0] as number];
  };
  const [worker, workerPort] = await start('worker');
  const [router, port] = await start('router', String(workerPort));
  await load(port, count / 2, connections);
  for (let repetition = 1; repetition <= 3; repetition++) {
    // oxlint-disable no-await-in-loop
    const before = await cpuMicros(router);
    const began = performance.now();
    await load(port, count, connections);
    const seconds = (performance.now() - began) / 1000;
    const micros = (await cpuMicros(router)) - before;
    // oxlint-enable no-await-in-loop
    const perSecond = Math.round(count / seconds);
    console.log(`${(micros / count / 1000).toFixed(3)} ms CPU a request, ${perSecond} a second`);
  }
  worker.kill();
  router.kill();
}

const [role = '30000', given = '32'] = process.argv.slice(2);
if (role === 'worker') await runWorker();
else if (role === 'router') await runRouter(Number(given));
else await measure(Number(role), Number(given));
