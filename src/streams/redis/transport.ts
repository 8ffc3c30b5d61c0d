import type { Log } from '../../kernel/log.ts';
import { randomLetters } from '../../kernel/random.ts';
import type { Transport } from '../cluster-bus.ts';
import { openRedis, type RedisOptions } from './connect.ts';

/** How often a message to oneself shows that messages pass. */
const echoMs = 1_000;
/** Without an echo for so long, messages are taken not to pass. */
const silenceMsMax = 2_500;
const reconnectMs = 500;
const echoMark = '!';

/** Texts between the processes of a server, through Redis pub/sub on one channel. */
export interface RedisTransport extends Transport {
  /** Starts to connect; resolves when messages pass, or after a while without. */
  open(): Promise<void>;
  close(): Promise<void>;
}

/** `channel` names the server, so that several may share a Redis. */
export function createRedisTransport(
  options: RedisOptions,
  channel: string,
  log: Log,
): RedisTransport {
  const own = `${echoMark}${randomLetters(12)}`;
  const name = `${channel}/${options.database}`;
  const publisher = openRedis(options, 'publish');
  const subscriber = openRedis(options, 'subscribe');
  let onText: (text: string) => void = () => undefined;
  let onConnected: (isConnected: boolean) => void = () => undefined;
  let isConnected = false;
  let heardAtMs = 0;
  let isClosed = false;
  let timer: NodeJS.Timeout | null = null;
  let opened: () => void = () => undefined;

  function setConnected(now: boolean, reason: string): void {
    if (now === isConnected) return;
    isConnected = now;
    if (now) log.info('connected to Redis');
    else if (!isClosed) log.warn({ reason }, 'Redis is gone; processes look into the database');
    onConnected(now);
  }

  const lost = (error: unknown) =>
    setConnected(false, error instanceof Error ? error.message || error.name : String(error));
  publisher.on('error', lost);
  subscriber.on('error', lost);

  function receive(text: string): void {
    if (!text.startsWith(echoMark)) {
      onText(text);
      return;
    }
    if (text !== own) return;
    heardAtMs = performance.now();
    setConnected(true, '');
    opened();
  }

  function beat(): void {
    if (isConnected && performance.now() - heardAtMs > silenceMsMax) {
      setConnected(false, 'messages do not pass');
    }
    publisher.publish(name, own).catch(() => undefined);
  }

  async function connected(work: () => Promise<unknown>): Promise<void> {
    for (;;) {
      if (isClosed) return;
      try {
        // oxlint-disable-next-line no-await-in-loop
        await work();
        return;
      } catch (error) {
        lost(error);
        // oxlint-disable-next-line no-await-in-loop
        await new Promise((resolve) => setTimeout(resolve, reconnectMs));
      }
    }
  }

  return {
    listen(text, connection) {
      onText = text;
      onConnected = connection;
    },
    isConnected: () => isConnected,
    send(text) {
      if (isConnected) publisher.publish(name, text).catch(() => undefined);
    },
    async open() {
      const first = new Promise<void>((resolve) => {
        opened = resolve;
        setTimeout(resolve, silenceMsMax);
      });
      void connected(() => publisher.connect()).then(beat);
      void connected(async () => {
        await subscriber.connect();
        await subscriber.subscribe(name, receive);
      }).then(beat);
      timer = setInterval(beat, echoMs);
      await first;
      if (!isConnected) log.warn('Redis does not answer; processes look into the database');
    },
    async close() {
      isClosed = true;
      if (timer) clearInterval(timer);
      isConnected = false;
      await Promise.allSettled([publisher.destroy(), subscriber.destroy()]);
    },
  };
}
