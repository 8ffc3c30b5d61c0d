import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import type { Queryable } from '../../src/database/database.ts';
import { createLog } from '../../src/kernel/log.ts';
import { createClusterBus, type ClusterBus } from '../../src/streams/cluster-bus.ts';
import { defineStream } from '../../src/streams/define-stream.ts';
import { randomFrom, seeds, type Random } from './random.ts';

const stream = defineStream<{ text: string }>({
  name: 'simulated',
  durable: true,
  shardedBy: 'none',
});

const schedules = 1_500;
const stepsOfSchedule = 60;
const processes = 4;
/** Enough for whatever is missing to be looked up, several times. */
const settleMs = 5_000;

const flush = async () => {
  for (let i = 0; i < 4; i++) {
    // oxlint-disable-next-line no-await-in-loop
    await new Promise((resolve) => setImmediate(resolve));
  }
};

interface Transaction {
  id: number;
  positions: number[];
}

/** What PostgreSQL does for streams: a sequence, rows, and transactions under way. */
class SimulatedDatabase implements Queryable {
  last = 0;
  readonly rows = new Map<number, { text: string }>();
  readonly open = new Map<number, Transaction>();
  #ids = 0;

  begin(count: number): Transaction {
    const positions = Array.from({ length: count }, () => ++this.last);
    const transaction = { id: ++this.#ids, positions };
    this.open.set(transaction.id, transaction);
    return transaction;
  }

  end(transaction: Transaction, isCommitted: boolean): void {
    this.open.delete(transaction.id);
    if (!isCommitted) return;
    for (const pos of transaction.positions) this.rows.set(pos, { text: `row ${pos}` });
  }

  async query(statement: { name: string }): Promise<never[]> {
    if (statement.name === 'select_stream_position') return [{ pos: this.last }] as never[];
    assert.equal(statement.name, 'select_committing');
    return [...this.open.keys()].map((id) => ({ transaction: String(id) })) as never[];
  }
}

/** A process with its bus, and the messages that are on their way to it. */
class SimulatedProcess {
  readonly bus: ClusterBus;
  readonly seen: number[] = [];
  readonly arriving: string[] = [];
  readonly startPos: number;
  isConnected = true;
  isAlive = true;
  #onText: (text: string) => void = () => undefined;
  #onConnected: (isConnected: boolean) => void = () => undefined;

  constructor(tag: string, database: SimulatedDatabase, send: (text: string) => void) {
    this.startPos = database.last;
    this.bus = createClusterBus({
      tag,
      database,
      clock: { now: () => Date.now() },
      log: createLog('error'),
      position: this.startPos,
      transport: {
        send: (text) => {
          if (this.isConnected) send(text);
        },
        listen: (onText, onConnected) => {
          this.#onText = onText;
          this.#onConnected = onConnected;
        },
        isConnected: () => this.isConnected,
        hears: () => this.isConnected,
        echo: async () => {},
      },
    });
    this.bus.subscribe(stream, (rows) => {
      for (const { pos } of rows) this.seen.push(pos);
    });
    this.bus.recoverWith(stream, async (afterPos, uptoPos) =>
      [...database.rows]
        .filter(([pos]) => pos > afterPos && pos <= uptoPos)
        .toSorted(([a], [b]) => a - b)
        .map(([pos, row]) => ({ pos, row })),
    );
  }

  arrive(): void {
    const text = this.arriving.shift();
    if (text !== undefined && this.isConnected) this.#onText(text);
  }

  connect(isConnected: boolean): void {
    if (isConnected === this.isConnected) return;
    this.isConnected = isConnected;
    if (!isConnected) this.arriving.length = 0;
    this.#onConnected(isConnected);
  }
}

/** One schedule: random commits, aborts, deaths, lost, late and doubled messages. */
class Schedule {
  readonly database = new SimulatedDatabase();
  readonly random: Random;
  readonly all: SimulatedProcess[] = [];
  #open: { by: SimulatedProcess; transaction: Transaction }[] = [];

  constructor(seed: number) {
    this.random = randomFrom(seed);
    for (let i = 0; i < processes; i++) this.#add();
  }

  #add(): void {
    // A process begins at a settled position: no transaction is under way in this moment.
    if (this.database.open.size > 0) return;
    const tag = `process${String.fromCharCode(97 + this.all.length)}`;
    this.all.push(new SimulatedProcess(tag, this.database, (text) => this.#send(text)));
  }

  #send(text: string): void {
    for (const one of this.all) {
      if (!one.isAlive || !one.isConnected || this.random.chance(0.05)) continue;
      one.arriving.push(text);
      if (this.random.chance(0.03)) one.arriving.push(text);
    }
  }

  alive(): SimulatedProcess[] {
    return this.all.filter((one) => one.isAlive);
  }

  #end(): void {
    const at = this.random.below(this.#open.length);
    const [ended] = this.#open.splice(at, 1);
    if (!ended) return;
    const { by, transaction } = ended;
    const isCommitted = this.random.chance(0.85);
    this.database.end(transaction, isCommitted);
    // It may die between the commit and the word about it.
    const isTold = by.isAlive && !this.random.chance(0.05);
    if (!isCommitted || !isTold) return;
    by.bus.publish(
      transaction.positions.map((pos) => ({ stream, pos, row: this.database.rows.get(pos)! })),
    );
  }

  step(): void {
    const { random } = this;
    const by = random.pick(this.alive());
    switch (random.below(9)) {
      case 0:
      case 1:
        this.#open.push({ by, transaction: this.database.begin(1 + random.below(4)) });
        break;
      case 2:
      case 3:
        this.#end();
        break;
      case 4:
      case 5:
        for (const one of this.alive()) if (random.chance(0.7)) one.arrive();
        break;
      case 6:
        mock.timers.tick(random.below(80));
        break;
      case 7:
        by.connect(random.chance(0.6));
        break;
      default:
        if (random.chance(0.3) && this.alive().length > 2) {
          by.isAlive = false;
          void by.bus.close();
        } else if (random.chance(0.3)) this.#add();
    }
  }

  finish(): void {
    while (this.#open.length > 0) this.#end();
    for (const one of this.alive()) one.connect(true);
  }

  /** Every process has seen every row once, in the order of positions. */
  check(): void {
    for (const one of this.alive()) {
      const expected = [...this.database.rows.keys()]
        .filter((pos) => pos > one.startPos)
        .toSorted((a, b) => a - b);
      assert.deepEqual(one.seen, expected);
      assert.equal(one.bus.position(), Math.max(this.database.last, one.startPos));
    }
  }

  /** At no time is anything seen out of order, or beyond the position. */
  checkNow(): void {
    for (const { seen, bus } of this.all) {
      const last = seen.at(-1) ?? 0;
      assert.ok(last <= bus.position(), 'a row is not beyond the position');
      if (seen.length > 1) assert.ok(seen.at(-2)! < last, 'rows come in order, each once');
    }
  }
}

test(`every process sees every row once and in order, whatever happens (${schedules} schedules)`, async () => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'] });
  try {
    for (const seed of seeds(schedules)) {
      const schedule = new Schedule(seed);
      try {
        for (let i = 0; i < stepsOfSchedule; i++) {
          schedule.step();
          // oxlint-disable-next-line no-await-in-loop
          if (i % 3 === 0) await flush();
          schedule.checkNow();
        }
        schedule.finish();
        for (let ms = 0; ms < settleMs; ms += 50) {
          for (const one of schedule.alive()) one.arrive();
          mock.timers.tick(50);
          // oxlint-disable-next-line no-await-in-loop
          await flush();
        }
        schedule.check();
      } catch (error) {
        throw new Error(`schedule ${seed} fails; LATTICE_SEED=${seed} replays it`, {
          cause: error,
        });
      } finally {
        for (const one of schedule.all) void one.bus.close();
      }
    }
  } finally {
    mock.timers.reset();
  }
});
