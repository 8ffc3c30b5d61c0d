import type { MatrixError } from '../../kernel/errors.ts';
import assert from 'node:assert/strict';
import pg from 'pg';
import { createLocalRoles } from '../../cluster/role.ts';
import { createTestDatabase } from '../../database/test-database.ts';
import { systemClock } from '../../kernel/clock.ts';
import { authTypesFor } from '../../matrix/auth-rules.ts';
import { buildPdu, joinPdu, type BuiltEvent } from '../../matrix/event-builder.ts';
import { referenceHash } from '../../matrix/event-format.ts';
import { serverNameOf } from '../../matrix/ids.ts';
import { referencedIds, type JsonObject, type Pdu } from '../../matrix/pdu.ts';
import type { RoomVersion } from '../../matrix/room-versions.ts';
import { generateSigningKeyLine, parseSigningKey } from '../../matrix/signing.ts';
import { users } from '../../matrix/state-resolution/test-rooms.ts';
import { keyOf } from '../../matrix/state-resolution/types.ts';
import { createLocalBus, type Bus } from '../../streams/bus.ts';
import { createCommitter } from '../../streams/committer.ts';
import type { StreamRow } from '../../streams/define-stream.ts';
import { withEventNames } from '../store/event-names.ts';
import { createForkStore } from '../store/fork-events.ts';
import { createHeadStore } from '../store/load-head.ts';
import { createInterned } from '../store/interned.ts';
import { createHistoryStore } from '../store/history.ts';
import { createOutlierStore } from '../store/outliers.ts';
import { createRemovedRoomStore } from '../store/removed-rooms.ts';
import { createTransactionStore } from '../store/transactions.ts';
import { eventStream, type EventRow } from '../streams.ts';
import { createAdopter } from './adopt.ts';
import { createRoomCreator } from './create.ts';
import { ForkStates } from './fork-states.ts';
import { createHeadCache } from './head-cache.ts';
import { createPolicyServers, type PolicyServersNeeds } from './policy-servers.ts';
import { createMaintainer } from './maintain.ts';
import { createReceiver } from './receive.ts';
import { createLocalRoomWriter } from './room-writer.ts';
import { createRoomWriter, type RoomWriter } from './shared-writer.ts';
import { LiteralRoom } from './test-literal-room.ts';

const serverName = 'x';
export const signingKey = parseSigningKey(generateSigningKeyLine('test'));
export const otherKey = parseSigningKey(generateSigningKeyLine('other'));

/** Rooms in a database of their own, without a server around them. */
export interface TestRooms {
  database: ReturnType<typeof withEventNames>;
  sql: pg.Client;
  bus: Bus;
  /** What readers of the stream have been told. */
  published: StreamRow<EventRow>[];
  /** A writer as a process has it that has just started: it remembers nothing. */
  freshWriter(): RoomWriter;
  close(): Promise<void>;
}

/** `federation`: what policy servers answer; by default rooms have none. */
export async function openTestRooms(
  federation: PolicyServersNeeds['federation'] = {
    request: () => assert.fail('no other server is asked'),
  },
): Promise<TestRooms> {
  const testDatabase = await createTestDatabase();
  const { database } = testDatabase;
  const sql = new pg.Client(testDatabase.connection);
  await sql.connect();
  const interned = createInterned(database);
  const named = withEventNames(database, interned);
  const published: StreamRow<EventRow>[] = [];
  const bus = createLocalBus({
    position: 0,
    ephemeralPosition: 0,
    onReaderError: (error) => assert.fail(String(error)),
  });
  bus.subscribe(eventStream, (rows) => void published.push(...rows));

  function freshWriter(): RoomWriter {
    const headStore = createHeadStore(named);
    const forks = createForkStore(named);
    const heads = createHeadCache(headStore, 1_000_000);
    const needs = {
      committer: createCommitter(database, bus),
      heads,
      headStore,
      transactions: createTransactionStore(database),
      interned,
      clock: systemClock,
      serverName,
      signingKey,
      policies: createPolicyServers({ federation, heads, headStore, clock: systemClock }),
    };
    return createRoomWriter(
      { roles: createLocalRoles(), bus, clock: systemClock, serverName, signingKey },
      {
        ...createLocalRoomWriter(needs),
        create: createRoomCreator(needs, database),
        receive: createReceiver({ ...needs, forks }),
        ...createMaintainer({ ...needs, removed: createRemovedRoomStore(database) }),
        ...createAdopter({
          ...needs,
          forks,
          outliers: createOutlierStore(database),
          history: createHistoryStore(database),
        }),
      },
    );
  }

  return {
    database: named,
    sql,
    bus,
    published,
    freshWriter,
    async close() {
      await sql.end();
      await testDatabase.close();
    },
  };
}

/** What somebody wants to be an event. */
export interface Wish {
  type: string;
  stateKey?: string;
  content: JsonObject;
  redacts?: string;
}

/** The events of a room as they are stored, in the order in which they came. */
async function storedEvents(
  sql: pg.Client,
  roomId: string,
): Promise<{ eventId: string; pdu: Pdu }[]> {
  const { rows } = await sql.query(
    `select event_id, content, envelope, content_at
     from events join rooms using (room_nid) where room_id = $1 order by event_nid`,
    [roomId],
  );
  return rows.map((row) => ({
    eventId: row.event_id,
    pdu: JSON.parse(joinPdu(row.envelope, row.content_at, row.content)) as Pdu,
  }));
}

async function currentState(sql: pg.Client, roomId: string): Promise<Map<string, string>> {
  const { rows } = await sql.query(
    `select event_type, s.state_key, event_id
     from room_state s join rooms using (room_nid) join event_types using (type_nid)
       join events e using (room_nid, event_nid)
     where room_id = $1 and to_pos = 9223372036854775807`,
    [roomId],
  );
  return new Map(rows.map((row) => [keyOf(row.event_type, row.state_key), row.event_id]));
}

async function memberships(sql: pg.Client, roomId: string): Promise<Map<string, string>> {
  const { rows } = await sql.query(
    `select user_id, membership from memberships join rooms using (room_nid)
       join users using (user_nid) where room_id = $1 and membership <> 'leave'`,
    [roomId],
  );
  return new Map(rows.map((row) => [row.user_id, row.membership]));
}

const byKey = ([a]: readonly [string, string], [b]: readonly [string, string]) => (a < b ? -1 : 1);

export const sorted = (map: ReadonlyMap<string, string>) => [...map].toSorted(byKey);

/** A room of ours with its literal twin. */
export class TwinRoom {
  readonly rooms: TestRooms;
  readonly literal: LiteralRoom;
  readonly roomId: string;
  writer: RoomWriter;
  #now = Date.now();

  private constructor(rooms: TestRooms, version: RoomVersion, roomId: string, writer: RoomWriter) {
    this.rooms = rooms;
    this.literal = new LiteralRoom(version);
    this.roomId = roomId;
    this.writer = writer;
  }

  /** A public room that everybody has joined. */
  static async create(rooms: TestRooms, version: RoomVersion): Promise<TwinRoom> {
    const writer = rooms.freshWriter();
    const [creator = ''] = users;
    const state = (type: string, stateKey: string, content: JsonObject) => ({
      sender: creator,
      type,
      stateKey,
      content,
    });
    const roomId = await writer.create({
      roomVersion: version.id,
      creator,
      createContent: {},
      events: [
        state('m.room.member', creator, { membership: 'join' }),
        state('m.room.join_rules', '', { join_rule: 'public' }),
      ],
      alias: null,
      isPublic: false,
    });
    const room = new TwinRoom(rooms, version, roomId, writer);
    let prevIds: string[] = [];
    for (const { eventId, pdu } of await storedEvents(rooms.sql, roomId)) {
      room.literal.add(eventId, pdu, prevIds);
      prevIds = [eventId];
    }
    for (const sender of users.slice(1)) {
      const join = { type: 'm.room.member', stateKey: sender, content: { membership: 'join' } };
      // oxlint-disable-next-line no-await-in-loop
      await room.receive(room.build(sender, join, room.literal.extremities));
    }
    return room;
  }

  /** An event of another server that follows these. */
  build(sender: string, what: Wish, prevIds: readonly string[], ms = 1): BuiltEvent {
    const { version, events } = this.literal;
    const isExplicit = version.eventIdFormat === 'explicit';
    const reference = (id: string) =>
      isExplicit
        ? ([id, { sha256: referenceHash(version, events.get(id)!.pdu) }] as [string, JsonObject])
        : id;
    const depths = prevIds.map((id) => events.get(id)!.pdu.depth);
    const pdu: Pdu = {
      room_id: this.roomId,
      sender,
      type: what.type,
      content: what.content,
      origin_server_ts: (this.#now += ms),
      depth: Math.max(...depths) + 1,
      prev_events: prevIds.map(reference),
      auth_events: [],
      hashes: { sha256: '' },
      signatures: {},
    };
    if (what.stateKey !== undefined) pdu.state_key = what.stateKey;
    if (what.redacts !== undefined) pdu.redacts = what.redacts;
    const state = this.literal.stateBefore(prevIds);
    for (const [type, key] of authTypesFor(version, pdu)) {
      const id = state.get(keyOf(type, key));
      if (id !== undefined) pdu.auth_events.push(reference(id));
    }
    const { hashes: _hashes, signatures: _signatures, ...parts } = pdu;
    const origin = serverNameOf(sender);
    return buildPdu(version, parts, origin, origin === serverName ? signingKey : otherKey);
  }

  async receive(event: BuiltEvent): Promise<void> {
    const ids = referencedIds(event.pdu.prev_events);
    const expected = this.literal.events.has(event.eventId)
      ? 'known'
      : this.literal.add(event.eventId, event.pdu, ids);
    const [received] = await this.writer.receive({ roomId: this.roomId, events: [event] });
    assert.equal(received!.outcome, expected, received!.reason ?? '');
  }

  /** Our own server's event, at the end of the room. */
  async append(sender: string, what: Wish): Promise<void> {
    const { version, extremities } = this.literal;
    const event = this.build(sender, what, extremities);
    const isAllowed = this.literal.allows(event.pdu, this.literal.current());
    const request = { roomId: this.roomId, events: [{ sender, ...what }] };
    if (!isAllowed) {
      await assert.rejects(
        this.writer.append(request),
        ({ code }: MatrixError) => code === 'M_FORBIDDEN' || code === 'M_BAD_JSON',
      );
      return;
    }
    const [appended] = await this.writer.append(request);
    const stored = (await storedEvents(this.rooms.sql, this.roomId)).at(-1)!;
    assert.equal(stored.eventId, appended!.eventId);
    const prevIds = referencedIds(stored.pdu.prev_events);
    assert.deepEqual(prevIds.toSorted(), extremities.toSorted(), version.id);
    assert.equal(this.literal.add(stored.eventId, stored.pdu, prevIds), 'accepted');
  }

  /** All that is stored is as the twin has it. */
  async check(): Promise<void> {
    const { literal, roomId } = this;
    const { sql, database } = this.rooms;
    const current = literal.current();
    assert.deepEqual(sorted(await currentState(sql, roomId)), sorted(current));
    const members = [...current].flatMap(([key, id]) => {
      const { pdu } = literal.events.get(id)!;
      const membership = pdu.content['membership'] as string;
      return key.startsWith('m.room.member') && membership !== 'leave'
        ? [[pdu.state_key!, membership] as const]
        : [];
    });
    assert.deepEqual(sorted(await memberships(sql, roomId)), members.toSorted(byKey));
    const { rows } = await sql.query('select * from rooms where room_id = $1', [roomId]);
    const countOf = (wanted: string) => members.filter(([, one]) => one === wanted).length;
    assert.deepEqual(
      [rows[0].joined_count, rows[0].invited_count],
      [countOf('join'), countOf('invite')],
    );
    const roomNid = Number(rows[0].room_nid);
    const states = new ForkStates(createForkStore(database), roomNid, literal.version);
    const ids = [...literal.events.keys()].filter((id) => !literal.events.get(id)!.isRejected);
    await states.load(ids);
    const deltas = await states.after(ids);
    for (const [i, id] of ids.entries()) {
      const state = new Map(current);
      for (const [key, value] of deltas[i]!) {
        if (value === null) state.delete(key);
        else state.set(key, value);
      }
      assert.deepEqual(sorted(state), sorted(literal.events.get(id)!.after), `after ${id}`);
    }
  }
}
