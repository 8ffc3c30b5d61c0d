import assert from 'node:assert/strict';
import pg from 'pg';
import type { AppserviceRequest } from '../appservices/client.ts';
import { parseRegistration } from '../appservices/registration-files.ts';
import {
  appserviceRegistrations,
  type AppserviceRegistrations,
} from '../appservices/registrations.ts';
import { createLocalRoles } from '../cluster/role.ts';
import { createTestDatabase } from '../database/test-database.ts';
import { createKeys } from '../keys/module.ts';
import { createLog } from '../kernel/log.ts';
import { Metrics } from '../kernel/metrics.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import { generateSigningKeyLine, parseSigningKey } from '../matrix/signing.ts';
import { createInterned, createRooms, withEventNames, type RoomServices } from '../rooms/module.ts';
import { createLocalBus } from '../streams/bus.ts';
import { createCommitter } from '../streams/committer.ts';
import { createToDevice } from '../to-device/module.ts';
import { createAppserviceSender, type AppserviceSender } from './module.ts';

/** A transaction as it came to a service. */
export interface ArrivedTransaction {
  service: string;
  txnId: string;
  body: string;
  events: JsonObject[];
}

/** This server's rooms and its sender, in a database of their own; services are played. */
export interface TestWorld {
  clock: { now(): number; pass(ms: number): void };
  registrations: AppserviceRegistrations;
  rooms: RoomServices;
  metrics: Metrics;
  process: { isKilled: boolean };
  /** The sender of the process that runs now. */
  sender: AppserviceSender;
  /** What services took, in order, also a second time. */
  arrived: ArrivedTransaction[];
  /** Every try: service and transaction id. */
  tried: string[];
  /** Services that answer with an error. */
  away: Set<string>;
  /** Asked when a transaction has come, before it is answered. */
  onTransaction: (transaction: ArrivedTransaction) => Promise<void> | void;
  /** A public room of a user of this server. */
  createRoom(): Promise<string>;
  say(roomId: string, body: string, sender?: string): Promise<void>;
  move(roomId: string, userId: string, membership: 'join' | 'leave'): Promise<void>;
  /** The process ends, orderly or not, and another one begins. */
  restart(isOrderly: boolean): Promise<void>;
  close(): Promise<void>;
}

export const alice = '@alice:us.test';
const serverName = 'us.test';
const signingKey = parseSigningKey(generateSigningKeyLine('us'));

/** `users`: the regular expression of its users. */
export const serviceOf = (id: string, users = `@${id}_.*`) =>
  parseRegistration(
    {
      id,
      url: `http://${id}.example`,
      as_token: `as of ${id}`,
      hs_token: `hs of ${id}`,
      sender_localpart: id,
      namespaces: { users: [{ exclusive: true, regex: users }] },
    },
    serverName,
  );

export async function openTestWorld(ids: string[]): Promise<TestWorld> {
  const opened = await createTestDatabase();
  const { database } = opened;
  const sql = new pg.Client(opened.connection);
  await sql.connect();
  let now = 1_700_000_000_000;
  const clock = { now: () => now, pass: (ms: number) => void (now += ms) };
  const log = createLog('error', { write: () => undefined });
  const interned = createInterned(database);

  async function take(process: { isKilled: boolean }, service: string, request: AppserviceRequest) {
    if (process.isKilled) return new Promise<never>(() => undefined);
    const [, txnId] = /^\/transactions\/(\d+)$/.exec(request.path)!;
    world.tried.push(`${service} ${txnId}`);
    if (world.away.has(service)) return { status: 503, json: undefined, body: null };
    const body = request.body!;
    const { events } = JSON.parse(body) as { events: JsonObject[] };
    const transaction = { service, txnId: txnId!, body, events };
    await world.onTransaction(transaction);
    world.arrived.push(transaction);
    // An answer of which nobody hears any more.
    if (process.isKilled) return new Promise<never>(() => undefined);
    return { status: 200, json: {}, body: {} };
  }

  /** What a process is made of. */
  async function startProcess() {
    const process = { isKilled: false };
    const registrations = appserviceRegistrations(ids.map((id) => serviceOf(id)));
    const { rows: found } = await sql.query('select last_value from stream_position');
    const bus = createLocalBus({
      position: Number(found[0].last_value),
      ephemeralPosition: now,
      onReaderError: (error) => assert.fail(String(error)),
    });
    const committer = createCommitter(database, bus);
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
    const metrics = new Metrics();
    const sender = createAppserviceSender({
      ...shared,
      registrations,
      client: { ask: ({ id }, request) => take(process, id, request) },
      events: withEventNames(database, interned),
      roles: createLocalRoles(),
      isEnabled: true,
      metrics,
      interned,
      joinedRooms: rooms.joinedRooms,
      keys: createKeys(shared as never),
      toDevice: createToDevice({ ...shared, mayContact: () => true }),
    });
    return { process, registrations, rooms, metrics, sender };
  }

  const member = (userId: string, membership: string) => ({
    sender: userId,
    type: 'm.room.member',
    stateKey: userId,
    content: { membership },
  });
  const world: TestWorld = {
    clock,
    ...(await startProcess()),
    arrived: [],
    tried: [],
    away: new Set(),
    onTransaction: () => undefined,
    async createRoom() {
      const state = (type: string, content: JsonObject) => ({
        sender: alice,
        type,
        stateKey: '',
        content,
      });
      return world.rooms.create({
        roomVersion: '11',
        creator: alice,
        createContent: {},
        events: [
          member(alice, 'join'),
          state('m.room.power_levels', { users: { [alice]: 100 } }),
          state('m.room.join_rules', { join_rule: 'public' }),
        ],
        alias: null,
        isPublic: false,
      });
    },
    async say(roomId, body, sender = alice) {
      const event = { sender, type: 'm.room.message', content: { body } };
      await world.rooms.writer.append({ roomId, events: [event] });
    },
    async move(roomId, userId, membership) {
      await world.rooms.writer.append({ roomId, events: [member(userId, membership)] });
    },
    async restart(isOrderly) {
      if (isOrderly) await world.sender.stop();
      // Nothing more is heard of it.
      else world.process.isKilled = true;
      Object.assign(world, await startProcess());
    },
    async close() {
      await world.sender.stop();
      await sql.end();
      await opened.close();
    },
  };
  return world;
}

/** What a service got of a room, by the bodies of messages. */
export const bodiesFor = ({ arrived }: TestWorld, service: string, roomId: string): string[] =>
  arrived
    .filter((one) => one.service === service)
    .flatMap(({ events }) => events)
    .filter(({ room_id: id, type }) => id === roomId && type === 'm.room.message')
    .map(({ content }) => (content as { body: string }).body);
