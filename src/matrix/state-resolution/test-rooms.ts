import { authTypesFor, checkAuthorised, NotAuthorised } from '../auth-rules.ts';
import type { IdentifiedPdu, JsonObject, Pdu } from '../pdu.ts';
import type { RoomVersion } from '../room-versions.ts';
import { keyOf, type StateMap } from './types.ts';

/** What somebody does on a branch of a test room; numbers choose among what there is. */
export interface Step {
  /** Which branch goes on. */
  branch: number;
  /** Another branch whose state is taken as the start, before this step; null: none. */
  forkFrom: number | null;
  actor: number;
  action: number;
  target: number;
  level: number;
  /** Milliseconds that pass; few, so that times are often the same. */
  ms: number;
}

export interface TestRoom {
  events: Map<string, Pdu>;
  /** The states after each branch. */
  states: StateMap[];
}

export const users = ['@a:x', '@b:x', '@c:y', '@d:y'];
const levels = [0, 25, 50, 75, 100];

export function eventOf(step: Pick<Step, 'actor' | 'action' | 'target' | 'level'>): {
  type: string;
  stateKey: string;
  content: JsonObject;
} {
  const target = users[step.target % users.length]!;
  const actor = users[step.actor % users.length]!;
  const level = levels[step.level % levels.length]!;
  switch (step.action % 9) {
    case 0:
      return {
        type: 'm.room.power_levels',
        stateKey: '',
        content: { users: { [actor]: 100, [target]: level }, state_default: 25 },
      };
    case 1:
      return {
        type: 'm.room.join_rules',
        stateKey: '',
        content: { join_rule: step.level % 2 === 0 ? 'public' : 'invite' },
      };
    case 2:
      return { type: 'm.room.member', stateKey: actor, content: { membership: 'join' } };
    case 3:
      return { type: 'm.room.member', stateKey: target, content: { membership: 'ban' } };
    case 4:
      return { type: 'm.room.member', stateKey: target, content: { membership: 'leave' } };
    case 5:
      return { type: 'm.room.member', stateKey: target, content: { membership: 'invite' } };
    case 6:
      return { type: 'm.room.name', stateKey: '', content: { name: `${step.level}` } };
    default:
      return { type: 'm.room.topic', stateKey: '', content: { topic: `${step.level}` } };
  }
}

/** Grows a room with branches by steps; steps that the rules of the version refuse do nothing. */
export function growRoom(version: RoomVersion, branches: number, steps: readonly Step[]): TestRoom {
  const events = new Map<string, Pdu>();
  let now = 1000;
  let count = 0;

  function tryAdd(
    state: Map<string, string>,
    depth: number,
    proto: { sender: string; type: string; stateKey: string; content: JsonObject },
  ): void {
    const get = (type: string, stateKey: string): IdentifiedPdu | undefined => {
      const id = state.get(keyOf(type, stateKey));
      return id === undefined ? undefined : { eventId: id, pdu: events.get(id)! };
    };
    // Ids that do not grow with time, as hashes do not.
    const id = `$${(++count * 7919) % 10007}x${count}`;
    const isCreate = proto.type === 'm.room.create';
    const pdu: Pdu = {
      event_id: id,
      room_id: '!r:x',
      sender: proto.sender,
      type: proto.type,
      state_key: proto.stateKey,
      content: proto.content,
      origin_server_ts: now,
      depth,
      prev_events: isCreate ? [] : depth === 2 ? [state.get(keyOf('m.room.create', ''))!] : ['$p'],
      auth_events: [],
      hashes: { sha256: '' },
      signatures: {},
    };
    if (isCreate && version.roomIdIsCreateHash) delete pdu.room_id;
    for (const [type, stateKey] of authTypesFor(version, pdu)) {
      const entry = get(type, stateKey);
      if (entry) pdu.auth_events.push(entry.eventId);
    }
    try {
      checkAuthorised(version, pdu, { get });
    } catch (error) {
      if (error instanceof NotAuthorised) return;
      throw error;
    }
    events.set(id, pdu);
    state.set(keyOf(proto.type, proto.stateKey), id);
  }

  const base = new Map<string, string>();
  const [first] = users;
  const creator: JsonObject = version.implicitRoomCreator ? {} : { creator: first! };
  tryAdd(base, 1, {
    sender: first!,
    type: 'm.room.create',
    stateKey: '',
    content: { room_version: version.id, ...creator },
  });
  tryAdd(base, 2, {
    sender: first!,
    type: 'm.room.member',
    stateKey: first!,
    content: { membership: 'join' },
  });
  tryAdd(base, 3, {
    sender: first!,
    type: 'm.room.join_rules',
    stateKey: '',
    content: { join_rule: 'public' },
  });
  for (const user of users.slice(1)) {
    tryAdd(base, 4, {
      sender: user,
      type: 'm.room.member',
      stateKey: user,
      content: { membership: 'join' },
    });
  }
  const tips = Array.from({ length: branches }, () => ({ state: new Map(base), depth: 5 }));
  for (const step of steps) {
    const tip = tips[step.branch % branches]!;
    if (step.forkFrom !== null) tip.state = new Map(tips[step.forkFrom % branches]!.state);
    now += step.ms;
    tip.depth++;
    tryAdd(tip.state, tip.depth, { sender: users[step.actor % users.length]!, ...eventOf(step) });
  }
  return { events, states: tips.map(({ state }) => state) };
}
