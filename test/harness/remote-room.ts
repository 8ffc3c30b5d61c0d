import assert from 'node:assert/strict';
import { authTypesFor } from '../../src/matrix/auth-rules.ts';
import { buildPdu, joinPdu, type BuiltEvent } from '../../src/matrix/event-builder.ts';
import { eventIdOf, referenceHash } from '../../src/matrix/event-format.ts';
import { referencedIds, type JsonObject, type Pdu } from '../../src/matrix/pdu.ts';
import { roomVersion, type RoomVersion } from '../../src/matrix/room-versions.ts';
import type { RemoteAnswer, RemoteRequest, RemoteServer } from './remote-server.ts';

/** What somebody wants to be an event. */
export interface RemoteWish {
  type: string;
  sender: string;
  stateKey?: string;
  content: JsonObject;
  /** `origin_server_ts`; default: now. */
  ts?: number;
}

const jsonOf = ({ envelope, contentAt, content }: BuiltEvent) =>
  JSON.parse(joinPdu(envelope, contentAt, content)) as JsonObject;

/** A room on a remote server of a test, with one user in it, and a timeline without forks. */
export class RemoteRoom {
  readonly version: RoomVersion;
  readonly creator: string;
  roomId = '';
  /** The newest event. */
  last: BuiltEvent | null = null;
  readonly state = new Map<string, BuiltEvent>();
  readonly events = new Map<string, BuiltEvent>();
  /** What `get_missing_events` gives. */
  history: readonly BuiltEvent[] = [];
  /** Events that `backfill` gives at once. */
  backfillMax = 100;
  /** Ids of events that are not given to anybody who asks for them. */
  readonly withheld = new Set<string>();
  /** The state before each event. */
  readonly #before = new Map<string, BuiltEvent[]>();
  /** Events that were handed in by the server under test. */
  readonly taken: { kind: string; pdu: Pdu }[] = [];
  readonly #server: RemoteServer;

  constructor(
    server: RemoteServer,
    options: { version?: string; joinRule?: string; powerLevels?: JsonObject } = {},
  ) {
    this.#server = server;
    this.version = roomVersion(options.version ?? '11');
    this.creator = `@creator:${server.name}`;
    const creator = this.creator;
    this.roomId = this.version.roomIdIsCreateHash ? '' : `!${Math.random()}:${server.name}`;
    const create: JsonObject = { room_version: this.version.id };
    if (!this.version.implicitRoomCreator) create['creator'] = creator;
    this.send({ type: 'm.room.create', sender: creator, stateKey: '', content: create });
    if (this.version.roomIdIsCreateHash) this.roomId = `!${this.last!.eventId.slice(1)}`;
    this.member(creator, 'join');
    const users: JsonObject = this.version.privilegedCreators ? {} : { [creator]: 100 };
    this.set('m.room.power_levels', { users, ...options.powerLevels });
    this.set('m.room.join_rules', { join_rule: options.joinRule ?? 'public' });
    this.set('m.room.name', { name: 'Elsewhere' });
  }

  #reference({ eventId, pdu }: BuiltEvent): string | [string, { sha256: string }] {
    if (this.version.eventIdFormat !== 'explicit') return eventId;
    return [eventId, { sha256: referenceHash(this.version, pdu) }];
  }

  /** The next event, not yet part of the room. `authEvents`: others than those it should name. */
  build(wish: RemoteWish, authEvents: readonly BuiltEvent[] | null = null): BuiltEvent {
    const { type, sender, stateKey, content } = wish;
    // Where forks meet, the later one wins.
    const ts = wish.ts ?? Math.max(Date.now(), (this.last?.pdu.origin_server_ts ?? 0) + 1);
    const pdu: Pdu = {
      type,
      sender,
      content,
      origin: this.#server.name,
      origin_server_ts: ts,
      depth: (this.last?.pdu.depth ?? 0) + 1,
      prev_events: this.last ? [this.#reference(this.last)] : [],
      auth_events: [],
      hashes: { sha256: '' },
      signatures: {},
    };
    if (stateKey !== undefined) pdu.state_key = stateKey;
    if (this.roomId !== '') pdu.room_id = this.roomId;
    if (authEvents) pdu.auth_events = authEvents.map((event) => this.#reference(event));
    for (const [authType, key] of authEvents ? [] : authTypesFor(this.version, pdu)) {
      const entry = this.state.get(`${authType} ${key}`);
      if (entry) pdu.auth_events.push(this.#reference(entry));
    }
    const { hashes: _hashes, signatures: _signatures, ...parts } = pdu;
    return buildPdu(this.version, parts, this.#server.name, this.#server.key);
  }

  take(event: BuiltEvent): BuiltEvent {
    const { type, state_key: key } = event.pdu;
    this.#before.set(event.eventId, [...this.state.values()]);
    if (key !== undefined) this.state.set(`${type} ${key}`, event);
    this.events.set(event.eventId, event);
    this.last = event;
    return event;
  }

  send(wish: RemoteWish): BuiltEvent {
    return this.take(this.build(wish));
  }

  set(type: string, content: JsonObject, stateKey = ''): BuiltEvent {
    return this.send({ type, sender: this.creator, stateKey, content });
  }

  message(body: string, ts = Date.now()): BuiltEvent {
    const content = { msgtype: 'm.text', body };
    return this.send({ type: 'm.room.message', sender: this.creator, content, ts });
  }

  member(userId: string, membership: string, sender = userId): BuiltEvent {
    const type = 'm.room.member';
    return this.send({ type, sender, stateKey: userId, content: { membership } });
  }

  pdu = jsonOf;

  /** Takes in an event that the server under test has made. */
  hear(pdu: Pdu): void {
    const eventId = eventIdOf(this.version, pdu);
    if (pdu.room_id === this.roomId && !this.events.has(eventId)) {
      this.take({ eventId, pdu, ...splitOf(pdu) });
    }
  }

  /** Events and what comes before them, newest first. */
  #walkBack(from: readonly string[]): BuiltEvent[] {
    const found = new Map<string, BuiltEvent>();
    const queue = [...from];
    for (const id of queue) {
      const event = this.events.get(id);
      if (!event || found.has(id) || found.size === this.backfillMax) continue;
      found.set(id, event);
      queue.push(...referencedIds(event.pdu.prev_events));
    }
    return [...found.values()];
  }

  #nearest(ts: number, isBackwards: boolean): BuiltEvent | undefined {
    const timeOf = (event: BuiltEvent) => event.pdu.origin_server_ts;
    const events = [...this.events.values()].toSorted((a, b) => timeOf(a) - timeOf(b));
    return isBackwards
      ? events.findLast((event) => timeOf(event) <= ts)
      : events.find((event) => timeOf(event) >= ts);
  }

  /** Answers questions about the room's history. */
  #answerAboutHistory({ uri }: RemoteRequest): RemoteAnswer | null {
    const [, action, room = '', text = ''] =
      /^\/_matrix\/federation\/v1\/(backfill|timestamp_to_event)\/([^?]+)\?(.*)/.exec(uri) ?? [];
    if (decodeURIComponent(room) !== this.roomId) return null;
    const query = new URLSearchParams(text);
    if (action === 'backfill') {
      return [200, { pdus: this.#walkBack(query.getAll('v')).map(jsonOf) }];
    }
    const event = this.#nearest(Number(query.get('ts')), query.get('dir') === 'b');
    if (!event) return null;
    return [200, { event_id: event.eventId, origin_server_ts: event.pdu.origin_server_ts }];
  }

  /** Answers as a resident server does. */
  answer(request: RemoteRequest): RemoteAnswer | null {
    return (
      this.#answerAboutEvents(request) ??
      this.#answerAboutHistory(request) ??
      this.#answerAboutMembers(request)
    );
  }

  /** Answers questions about the room's past. */
  #answerAboutEvents({ uri }: RemoteRequest): RemoteAnswer | null {
    const [, action = '', last = '', second = ''] =
      /^\/_matrix\/federation\/v1\/(event|event_auth|state|state_ids|get_missing_events)\/([^?/]+)\/?([^?]*)/.exec(
        uri,
      ) ?? [];
    const id = decodeURIComponent(last);
    const chain = [...this.events.values()].filter((event) => event.pdu.state_key !== undefined);
    if (action === 'event') {
      const event = this.withheld.has(id) ? undefined : this.events.get(id);
      return event ? [200, { pdus: [jsonOf(event)] }] : null;
    }
    if (action === 'event_auth') {
      if (!this.events.has(decodeURIComponent(second))) return null;
      const given = chain.filter(({ eventId }) => !this.withheld.has(eventId));
      return [200, { auth_chain: given.map(jsonOf) }];
    }
    if (action === '' || id !== this.roomId) return null;
    if (action === 'get_missing_events') return [200, { events: this.history.map(jsonOf) }];
    const at = new URLSearchParams(uri.slice(uri.indexOf('?'))).get('event_id') ?? '';
    const state = this.#before.get(at);
    if (!state) return null;
    const ids = (events: readonly BuiltEvent[]) => events.map(({ eventId }) => eventId);
    return action === 'state'
      ? [200, { pdus: state.map(jsonOf), auth_chain: chain.map(jsonOf) }]
      : [200, { pdu_ids: ids(state), auth_chain_ids: ids(chain) }];
  }

  #answerAboutMembers({ method, uri, content }: RemoteRequest): RemoteAnswer | null {
    const [, action = '', room = '', last = ''] =
      /^\/_matrix\/federation\/v[12]\/((?:make|send)_\w+)\/([^/]+)\/([^/?]+)/.exec(uri) ?? [];
    if (decodeURIComponent(room) !== this.roomId) return null;
    const kind = action.slice('make_'.length);
    if (method === 'GET') {
      const userId = decodeURIComponent(last);
      const wish = { type: 'm.room.member', sender: userId, stateKey: userId };
      const { pdu } = this.build({ ...wish, content: { membership: kind } });
      const { hashes: _hashes, signatures: _signatures, ...event } = pdu;
      return [200, { room_version: this.version.id, event: event as unknown as JsonObject }];
    }
    const pdu = content as unknown as Pdu;
    const eventId = decodeURIComponent(last);
    assert.equal(eventIdOf(this.version, pdu), eventId);
    this.taken.push({ kind, pdu });
    const state = [...this.state.values()];
    this.take({ eventId, pdu, ...splitOf(pdu) });
    if (kind === 'leave') return [200, {}];
    if (kind === 'knock') return [200, { knock_room_state: state.map(jsonOf) }];
    const chain = [...this.events.values()].filter((event) => event.eventId !== eventId);
    return [
      200,
      {
        state: state.map(jsonOf),
        auth_chain: chain.filter((event) => event.pdu.state_key !== undefined).map(jsonOf),
        event: content,
      },
    ];
  }
}

/** The parts of a PDU as it is told again: as it came. */
function splitOf(pdu: Pdu) {
  const { content, ...rest } = pdu;
  const text = JSON.stringify(rest);
  return { content: JSON.stringify(content), envelope: text, contentAt: 1 };
}
