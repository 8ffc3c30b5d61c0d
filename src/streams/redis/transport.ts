import type { Log } from '../../kernel/log.ts';
import { randomLetters } from '../../kernel/random.ts';
import type { Transport } from '../cluster-bus.ts';
import { openRedis, type RedisOptions } from './connect.ts';

/** How often at least a message to oneself shows that messages pass. */
const echoMs = 1_000;
/** Without an echo for so long, messages are taken not to pass. */
const silenceMsMax = 2_500;
const reconnectMs = 500;

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
  const name = `${channel}/${options.database}`;
  /** Redis keeps the order of messages, also between channels. */
  const ownName = `${name}/${randomLetters(12)}`;
  const publisher = openRedis(options, 'publish');
  const subscriber = openRedis(options, 'subscribe');
  let onText: (text: string) => void = () => undefined;
  let onConnected: (isConnected: boolean) => void = () => undefined;
  let isConnected = false;
  let heardAtMs = 0;
  let isClosed = false;
  let timer: NodeJS.Timeout | null = null;
  let asking: (() => void)[] = [];
  let asked = 0;
  /** Who waits for which echo, ascending. */
  const waiting = new Map<number, (() => void)[]>();
  let opened: () => void = () => undefined;

  function setConnected(now: boolean, reason: string): void {
    if (now === isConnected) return;
    isConnected = now;
    if (now) log.info('connected to Redis');
    else if (!isClosed) log.warn({ reason }, 'Redis is gone; processes look into the database');
    onConnected(now);
  }

  let failure = '';
  function lost(error: unknown): void {
    failure = error instanceof Error ? error.message || error.name : String(error);
    setConnected(false, failure);
    answer(Infinity);
  }
  publisher.on('error', lost);
  subscriber.on('error', lost);

  function answer(upto: number): void {
    for (const [number, resolves] of waiting) {
      if (number > upto) return;
      waiting.delete(number);
      for (const resolve of resolves) resolve();
    }
  }

  function hear(number: string): void {
    heardAtMs = performance.now();
    setConnected(true, '');
    opened();
    answer(Number(number));
  }

  const isSilent = () => performance.now() - heardAtMs > silenceMsMax;

  /** One message for all who ask in one turn of the event loop. */
  function ask(resolve: () => void): void {
    asking.push(resolve);
    if (asking.length > 1) return;
    setImmediate(() => {
      const number = ++asked;
      waiting.set(number, asking);
      asking = [];
      publisher.publish(ownName, String(number)).catch(() => answer(number));
    });
  }

  function beat(): void {
    if (isConnected && isSilent()) {
      setConnected(false, 'messages do not pass');
      // Others have heard their last echo at most so much later, and trust in it as long.
      const upto = asked;
      setTimeout(() => answer(upto), echoMs).unref();
    }
    ask(() => undefined);
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
    hears: () => isConnected && !isSilent(),
    send(text) {
      if (isConnected) publisher.publish(name, text).catch(() => undefined);
    },
    echo: () => (isConnected ? new Promise(ask) : Promise.resolve()),
    async open() {
      const first = new Promise<void>((resolve) => {
        opened = resolve;
        setTimeout(resolve, silenceMsMax);
      });
      void connected(() => publisher.connect()).then(beat);
      void connected(async () => {
        await subscriber.connect();
        await subscriber.subscribe(name, (text) => onText(text));
        await subscriber.subscribe(ownName, hear);
      }).then(beat);
      timer = setInterval(beat, echoMs);
      await first;
      if (!isConnected) {
        log.warn({ reason: failure }, 'Redis does not answer; processes look into the database');
      }
    },
    async close() {
      isClosed = true;
      if (timer) clearInterval(timer);
      isConnected = false;
      answer(Infinity);
      await Promise.allSettled([publisher.destroy(), subscriber.destroy()]);
    },
  };
}
