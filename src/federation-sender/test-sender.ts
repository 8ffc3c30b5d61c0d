import assert from 'node:assert/strict';
import pg from 'pg';
import { buildRemoteEvent, type RemoteWish } from '../../test/harness/remote-events.ts';
import { createLocalRoles } from '../cluster/role.ts';
import { createTestDatabase } from '../database/test-database.ts';
import { FederationError } from '../federation-client/errors.ts';
import type { FederationRequest } from '../federation-client/federation-client.ts';
import { createSharedBackOff } from '../federation-client/shared-back-off.ts';
import { createRetryStore } from '../federation-client/store/retries.ts';
import { createKeys, type Keys } from '../keys/module.ts';
import { createLog } from '../kernel/log.ts';
import { Metrics } from '../kernel/metrics.ts';
import type { JsonObject, Pdu } from '../matrix/pdu.ts';
import { serverNameOf } from '../matrix/ids.ts';
import { generateSigningKeyLine, parseSigningKey } from '../matrix/signing.ts';
import type { Presence } from '../presence/module.ts';
import { createInterned, createRooms, type Interned, type RoomServices } from '../rooms/module.ts';
import { createLocalBus, type Bus } from '../streams/bus.ts';
import { createCommitter } from '../streams/committer.ts';
import { createToDevice, type ToDevice } from '../to-device/module.ts';
import { createFederationSender, type FederationSender } from './module.ts';

/** A transaction as it came to a server. */
export interface ArrivedTransaction {
  destination: string;
  txnId: string;
  pdus: Pdu[];
  edus: { edu_type: string; content: JsonObject }[];
}

/** A clock that tests turn. Pauses are real ones, but short. */
export interface TestClock {
  now(): number;
  /** Milliseconds. */
  pass(ms: number): void;
}

/** This server's rooms and its sender, in a database of their own; other servers are played. */
export interface TestSender {
  clock: TestClock;
  sql: pg.Client;
  bus: Bus;
  rooms: RoomServices;
  interned: Interned;
  keys: Keys;
  toDevice: ToDevice;
  metrics: Metrics;
  process: { isKilled: boolean };
  /** The sender of the process that runs now. */
  sender: FederationSender;
  backOff: ReturnType<typeof createSharedBackOff>;
  /** Users who are not offline. */
  present: Map<number, Presence>;
  /** What servers took, in order. */
  arrived: ArrivedTransaction[];
  /** Every try. */
  tried: string[];
  /** Servers that do not answer. */
  away: Set<string>;
  /** Asked before a transaction is taken; may throw. */
  onTransaction: (transaction: ArrivedTransaction) => Promise<void> | void;
  /** A public room of a user of this server. */
  createRoom(): Promise<string>;
  say(roomId: string, body: string): Promise<void>;
  append(
    roomId: string,
    event: { type: string; stateKey?: string; content: JsonObject },
  ): Promise<void>;
  receive(roomId: string, wish: RemoteWish): Promise<void>;
  join(roomId: string, userId: string): Promise<void>;
  leave(roomId: string, userId: string): Promise<void>;
  /** The process ends, orderly or not, and another one begins. */
  restart(isOrderly: boolean): Promise<void>;
  close(): Promise<void>;
}

export const alice = '@alice:us.test';
const serverName = 'us.test';
const signingKey = parseSigningKey(generateSigningKeyLine('us'));
export const theirKey = parseSigningKey(generateSigningKeyLine('them'));
const minRetryMs = 60_000;

export async function openTestSender(
  options: { retriesMax?: number; allowedServers?: string[] } = {},
): Promise<TestSender> {
  const opened = await createTestDatabase();
  const { database } = opened;
  const sql = new pg.Client(opened.connection);
  await sql.connect();
  let now = 1_700_000_000_000;
  const clock = { now: () => now, pass: (ms: number) => void (now += ms) };
  const log = createLog('error');
  const interned = createInterned(database);

  async function request(
    process: { isKilled: boolean },
    destination: string,
    { method, uri, content, backOff }: FederationRequest,
  ) {
    if (process.isKilled) return new Promise<never>(() => undefined);
    assert.equal(method, 'PUT');
    const [, txnId] = /^\/_matrix\/federation\/v1\/send\/(\w+)$/.exec(uri)!;
    test.tried.push(destination);
    if (test.away.has(destination)) {
      backOff!.failed(destination);
      throw new FederationError('unreachable', destination, 'it is away');
    }
    const { pdus, edus } = structuredClone(content) as never as ArrivedTransaction;
    const transaction = { destination, txnId: txnId!, pdus, edus };
    await test.onTransaction(transaction);
    test.arrived.push(transaction);
    backOff!.succeeded(destination);
    return { pdus: {} };
  }

  /** What a process is made of. */
  async function startProcess() {
    const process = { isKilled: false };
    const { rows } = await sql.query('select last_value from stream_position');
    const bus = createLocalBus({
      position: Number(rows[0].last_value),
      ephemeralPosition: now,
      onReaderError: (error) => assert.fail(String(error)),
    });
    const committer = createCommitter(database, bus);
    const backOffOptions = { minMs: minRetryMs, factor: 2, maxMs: 10 * minRetryMs };
    const backOff = createSharedBackOff({
      options: backOffOptions,
      store: createRetryStore(database),
      bus,
      clock,
      log,
      random: () => 1,
    });
    await backOff.ready;
    const metrics = new Metrics();
    const rooms = createRooms({
      database,
      committer,
      bus,
      roles: createLocalRoles(),
      interned,
      signingKey,
      federation: { request: () => assert.fail('no policy server is asked') },
      clock: { now: Date.now },
      config: { serverName },
      profiles: { of: () => ({}) },
      headCacheBytes: 1_000_000,
    } as never).services;
    const userNidsOf = (userIds: readonly string[]) => interned.findAll(userIds);
    const shared = { database, committer, bus, clock, log, serverName, userNidsOf };
    const keys = createKeys(shared as never);
    const toDevice = createToDevice({ ...shared, mayContact: () => true });
    const sender = createFederationSender({
      ...shared,
      config: {
        serverName,
        allowedServers: options.allowedServers ?? null,
        retriesMax: options.retriesMax ?? 0,
        retryDelayMsMax: 1_000,
        receiptsPerSecond: 50,
        metricsDomains: ['them.test'],
      },
      roles: createLocalRoles(),
      metrics,
      federation: {
        request: (destination: string, asked: FederationRequest) =>
          request(process, destination, asked),
      },
      backOff,
      rooms,
      keys,
      toDevice,
      presence: { presentUser: (userNid) => test.present.get(userNid) ?? null },
    });
    return { process, bus, rooms, keys, toDevice, metrics, sender, backOff };
  }

  let number = 0;
  const test: TestSender = {
    clock,
    sql,
    interned,
    ...(await startProcess()),
    arrived: [],
    tried: [],
    away: new Set(),
    present: new Map(),
    onTransaction: () => undefined,
    async createRoom() {
      const state = (type: string, stateKey: string, content: JsonObject) => ({
        sender: alice,
        type,
        stateKey,
        content,
      });
      return test.rooms.create({
        roomVersion: '11',
        creator: alice,
        createContent: {},
        events: [
          state('m.room.member', alice, { membership: 'join' }),
          state('m.room.power_levels', '', { users: { [alice]: 100 } }),
          state('m.room.join_rules', '', { join_rule: 'public' }),
        ],
        alias: null,
        isPublic: false,
      });
    },
    say: (roomId, body) =>
      test.append(roomId, { type: 'm.room.message', content: { body, n: ++number } }),
    async append(roomId, event) {
      await test.rooms.writer.append({ roomId, events: [{ sender: alice, ...event }] });
    },
    async receive(roomId, wish) {
      const remote = { name: serverNameOf(wish.sender), key: theirKey };
      const event = await buildRemoteEvent(sql, remote, roomId, wish);
      const [received] = await test.rooms.writer.receive({ roomId, events: [event] });
      assert.equal(received!.outcome, 'accepted', received!.reason ?? '');
    },
    join: (roomId, userId) =>
      test.receive(roomId, {
        sender: userId,
        type: 'm.room.member',
        stateKey: userId,
        content: { membership: 'join' },
      }),
    leave: (roomId, userId) =>
      test.receive(roomId, {
        sender: userId,
        type: 'm.room.member',
        stateKey: userId,
        content: { membership: 'leave' },
      }),
    async restart(isOrderly) {
      if (isOrderly) await test.sender.stop();
      // Nothing more is heard of it.
      else test.process.isKilled = true;
      Object.assign(test, await startProcess());
    },
    async close() {
      await test.sender.stop();
      await test.backOff.stop();
      await sql.end();
      await opened.close();
    },
  };
  return test;
}

/** What a server got of a room, by the bodies of messages. */
export const bodiesFor = ({ arrived }: TestSender, destination: string, roomId: string): string[] =>
  arrived
    .filter((one) => one.destination === destination)
    .flatMap(({ pdus }) => pdus)
    .filter(({ room_id: id, type }) => id === roomId && type === 'm.room.message')
    .map(({ content }) => content['body'] as string);
