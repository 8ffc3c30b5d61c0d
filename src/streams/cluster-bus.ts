import type { Queryable } from '../database/database.ts';
import { lastStreamPosition, settledPosition } from '../database/positions.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { Bus, RowsReader } from './bus.ts';
import type { Stream, StreamRow } from './define-stream.ts';
import { createReaders } from './readers.ts';
import { createSenders } from './senders.ts';
import { createSequencer, type Gap } from './sequencer.ts';
import { createWaiters } from './waiters.ts';
import { createDecoder, encodeMessage } from './wire.ts';

/** Carries texts between processes, at most once each: it may lose them, and repeats none. */
export interface Transport {
  send(text: string): void;
  /** Both handlers are set before anything arrives. */
  listen(onText: (text: string) => void, onConnected: (isConnected: boolean) => void): void;
  isConnected(): boolean;
  /** Whether all that others had sent a few seconds ago has arrived, also after standing still. */
  hears(): boolean;
  /**
   * Resolves when all that was sent before, here and by others, has arrived here and elsewhere, or
   * when the connection is lost.
   */
  echo(): Promise<void>;
}

export interface ClusterBusOptions {
  /** A word that no other process has. */
  tag: string;
  database: Queryable;
  transport: Transport;
  clock: Clock;
  log: Log;
  /** A settled position: from here on this process sees everything. */
  position: number;
}

export interface ClusterBus extends Bus {
  /** How many positions drawn have not reached the readers here. */
  lag(): number;
  /** Rows that had to be read again since the start. */
  recoveredRows(): number;
  close(): Promise<void>;
}

/** How long a position may be missing before it is looked up: commits overtake each other. */
const gapPatienceMs = 30;
/** How often to look whether more has been drawn than was heard of. */
const lookConnectedMs = 1_000;
const lookAloneMs = 100;
/** Pause after the database did not answer. */
const retryMs = 200;
/** Positions that are looked up at once; bounds the memory of catching up. */
const recoveredAtOnce = 2_000;
/** While messages cannot arrive, how often what hangs on rows that are not durable is forgotten. */
const forgetAloneMs = 1_000;

/**
 * The bus of several processes. Messages bring rows fast; whatever they lose, delay or bring out of
 * order, the sequencer's gaps are filled from the database, so that readers see every durable row
 * once and in order. Without any transport all of it still works, by looking.
 */
export function createClusterBus(options: ClusterBusOptions): ClusterBus {
  const { tag, database, transport, clock, log } = options;
  const readers = createReaders((error) => {
    log.error({ err: error }, 'bug: a reader of streams failed');
  });
  const sources = new Map<Stream<unknown>, RowsReader<unknown>>();
  const missedHandlers: (() => void)[] = [];
  const waiters = createWaiters();
  const senders = createSenders(() => missed());
  const sequencer = createSequencer(options.position, (rows, position) => {
    readers.deliver(rows);
    waiters.reached(position);
  });
  const decode = createDecoder(tag, (stream) => readers.has(stream));
  let ephemeral = clock.now();
  let number = 0;
  let recovered = 0;
  let patience: NodeJS.Timeout | null = null;
  let recovery: Promise<void> | null = null;
  let looking: NodeJS.Timeout | null = null;
  let forgottenMs = 0;
  let isClosed = false;

  function missed(): void {
    forgottenMs = clock.now();
    for (const handler of missedHandlers) handler();
  }

  const nextEphemeral = () => (ephemeral = Math.max(ephemeral + 1, clock.now()));

  async function readRows({ fromPos, uptoPos }: Gap): Promise<StreamRow[]> {
    const found = await Promise.all(
      [...sources].map(async ([stream, read]) => {
        const rows = await read(fromPos - 1, uptoPos);
        return rows.map(({ pos, row }) => ({ stream, pos, row }));
      }),
    );
    return found.flat();
  }

  async function recover(): Promise<void> {
    const settledPos = await settledPosition(database);
    for (let gap = sequencer.gap(); gap; gap = sequencer.gap()) {
      if (isClosed) return;
      const { fromPos } = gap;
      const uptoPos = Math.min(gap.uptoPos, settledPos, fromPos + recoveredAtOnce - 1);
      if (uptoPos < fromPos) return;
      // oxlint-disable-next-line no-await-in-loop
      const rows = await readRows({ fromPos, uptoPos });
      recovered += rows.length;
      sequencer.settle(uptoPos, rows);
    }
  }

  function startRecovery(): void {
    recovery ??= recover()
      .catch(async (error: unknown) => {
        log.warn({ err: error }, 'could not read missed rows of streams; trying again');
        await new Promise((resolve) => setTimeout(resolve, retryMs));
      })
      .finally(() => {
        recovery = null;
        minded();
      });
  }

  /** Sees to it that what is missing comes. */
  function minded(): void {
    const gap = sequencer.gap();
    if (!gap || patience || recovery || isClosed) return;
    const wait = transport.isConnected() ? gapPatienceMs : 0;
    patience = setTimeout(() => {
      patience = null;
      const still = sequencer.gap();
      if (still?.fromPos === gap.fromPos) startRecovery();
      else minded();
    }, wait);
  }

  async function look(): Promise<void> {
    try {
      sequencer.heardOf(await lastStreamPosition(database));
      minded();
    } catch (error) {
      log.debug({ err: error }, 'could not look for new rows of streams');
    }
    if (!transport.isConnected() && clock.now() - forgottenMs >= forgetAloneMs) missed();
    if (isClosed) return;
    const waitMs = transport.isConnected() ? lookConnectedMs : lookAloneMs;
    looking = setTimeout(() => void look(), waitMs).unref();
  }

  function receive(text: string): void {
    const message = decode(text);
    if (!message) return;
    senders.note(message.sender, message.number);
    const durable = message.rows.filter((row) => row.stream.durable);
    const others = message.rows.filter((row) => !row.stream.durable);
    if (durable.length > 0) {
      sequencer.offer(durable);
      minded();
    }
    if (others.length > 0) {
      readers.deliver(others.map((row) => ({ ...row, pos: nextEphemeral() })));
    }
  }

  transport.listen(receive, (isConnected) => {
    missed();
    if (!isConnected) return;
    // What was sent while there was no connection is lost, here and elsewhere: the others see by
    // the number that they have missed something.
    transport.send(encodeMessage({ sender: tag, number: ++number, rows: [] }));
    sequencer.heardOf(sequencer.highest());
    if (looking) clearTimeout(looking);
    void look();
  });
  looking = setTimeout(() => void look(), lookAloneMs).unref();

  return {
    tag,
    publish(rows) {
      transport.send(encodeMessage({ sender: tag, number: ++number, rows }));
      const durable = rows.filter((row) => row.stream.durable);
      if (durable.length > 0) {
        sequencer.offer(durable);
        minded();
      }
      if (durable.length < rows.length) readers.deliver(rows.filter((row) => !row.stream.durable));
    },
    subscribe: (stream, handler) => readers.add(stream, handler),
    recoverWith: (stream, read) => void sources.set(stream, read),
    afterRows: (handler) => readers.addAfterRows(handler),
    onMissed: (handler) => void missedHandlers.push(handler),
    hearsOthers: () => transport.hears(),
    position: () => sequencer.position(),
    reached: (pos) => (pos <= sequencer.position() ? null : waiters.wait(pos)),
    async caughtUp() {
      const [pos] = await Promise.all([lastStreamPosition(database), transport.echo()]);
      sequencer.heardOf(pos);
      minded();
      if (pos > sequencer.position()) await waiters.wait(pos);
    },
    delivered: () => transport.echo(),
    ephemeralPosition: () => ephemeral,
    nextEphemeral,
    lag: () => sequencer.highest() - sequencer.position(),
    recoveredRows: () => recovered,
    async close() {
      isClosed = true;
      if (patience) clearTimeout(patience);
      if (looking) clearTimeout(looking);
      await recovery;
    },
  };
}
