import { createHash } from 'node:crypto';
import { authTypesFor, checkAuthorised, NotAuthorised } from '../auth-rules.ts';
import type { AuthState, IdentifiedPdu, Pdu } from '../pdu.ts';
import { creatorsOf, parsePowerLevels } from '../power-levels.ts';
import type { RoomVersion } from '../room-versions.ts';
import { keyOf, type StateMap } from './types.ts';

/**
 * State resolution word for word as the specification has it, however slow: what the real one is
 * compared with. It shares nothing with it but the authorisation rules.
 */
export function resolveLiterally(
  version: RoomVersion,
  states: readonly StateMap[],
  events: ReadonlyMap<string, Pdu>,
): Map<string, string> {
  return version.stateResolution === 'v1'
    ? literalV1(version, states, events)
    : literalV2(version, states, events);
}

const authOf = (events: ReadonlyMap<string, Pdu>, id: string) =>
  events.get(id)!.auth_events.map((entry) => (typeof entry === 'string' ? entry : entry[0]));

function chainOf(events: ReadonlyMap<string, Pdu>, id: string): Set<string> {
  const chain = new Set<string>();
  for (const next of authOf(events, id)) {
    chain.add(next);
    for (const further of chainOf(events, next)) chain.add(further);
  }
  return chain;
}

function allowed(
  version: RoomVersion,
  state: Map<string, string>,
  events: ReadonlyMap<string, Pdu>,
  id: string,
  createId: string,
): boolean {
  const pdu = events.get(id)!;
  const lookup = (key: string): string | undefined => {
    const inState = state.get(key);
    if (inState !== undefined) return inState;
    const named = authOf(events, id).find((auth) => {
      const event = events.get(auth)!;
      return keyOf(event.type, event.state_key!) === key;
    });
    return named ?? (key === keyOf('m.room.create', '') ? createId : undefined);
  };
  const needed = new Set(
    [...authTypesFor(version, pdu), ['m.room.create', ''] as const].map(([t, k]) => keyOf(t, k)),
  );
  const authState: AuthState = {
    get(type, stateKey): IdentifiedPdu | undefined {
      const key = keyOf(type, stateKey);
      const found = needed.has(key) ? lookup(key) : undefined;
      return found === undefined ? undefined : { eventId: found, pdu: events.get(found)! };
    },
  };
  try {
    checkAuthorised(version, pdu, authState);
    return true;
  } catch (error) {
    if (error instanceof NotAuthorised) return false;
    throw error;
  }
}

function split(states: readonly StateMap[]) {
  const unconflicted = new Map<string, string>();
  const conflicted: [string, string][] = [];
  for (const state of states) {
    for (const [key, id] of state) {
      if (states.every((other) => other.get(key) === id)) unconflicted.set(key, id);
      else if (!conflicted.some(([k, i]) => k === key && i === id)) conflicted.push([key, id]);
    }
  }
  return { unconflicted, conflicted };
}

function literalV1(
  version: RoomVersion,
  states: readonly StateMap[],
  events: ReadonlyMap<string, Pdu>,
): Map<string, string> {
  const { unconflicted: result, conflicted } = split(states);
  const createId = result.get(keyOf('m.room.create', ''))!;
  const sha1 = (id: string) => createHash('sha1').update(id).digest('hex');
  const depth = (id: string) => events.get(id)!.depth;
  const keys = [...new Set(conflicted.map(([key]) => key))].sort();
  const listOf = (key: string) => conflicted.filter(([k]) => k === key).map(([, id]) => id);
  const typeOf = (key: string) => key.split('\0')[0]!;
  const first = ['m.room.power_levels', 'm.room.join_rules', 'm.room.member'];
  for (const type of first) {
    for (const key of keys.filter((k) => typeOf(k) === type)) {
      const list = listOf(key).sort((a, b) => {
        if (depth(a) !== depth(b)) return depth(a) - depth(b);
        return sha1(a) > sha1(b) ? -1 : 1;
      });
      result.set(key, list[0]!);
      for (const id of list.slice(1)) {
        if (!allowed(version, result, events, id, createId)) break;
        result.set(key, id);
      }
    }
  }
  for (const key of keys.filter((k) => !first.includes(typeOf(k)))) {
    const list = listOf(key).sort((a, b) => {
      if (depth(a) !== depth(b)) return depth(b) - depth(a);
      return sha1(a) < sha1(b) ? -1 : 1;
    });
    const chosen = list.find((id) => allowed(version, result, events, id, createId));
    if (chosen !== undefined) result.set(key, chosen);
  }
  return result;
}

/** All paths over auth events between conflicted events, found by trying every path. */
function pathsBetween(ends: Set<string>, events: ReadonlyMap<string, Pdu>): Set<string> {
  const found = new Set<string>();
  const walk = (id: string, trail: string[]): void => {
    const here = [...trail, id];
    if (ends.has(id)) for (const step of here) found.add(step);
    for (const next of authOf(events, id)) walk(next, here);
  };
  for (const end of ends) walk(end, []);
  return found;
}

function literalV2(
  version: RoomVersion,
  states: readonly StateMap[],
  events: ReadonlyMap<string, Pdu>,
): Map<string, string> {
  const { unconflicted, conflicted } = split(states);
  const createId = unconflicted.get(keyOf('m.room.create', ''))!;
  const isV21 = version.stateResolution === 'v2.1';
  const conflictedIds = new Set(conflicted.map(([, id]) => id));
  const chains = states.map((state) => {
    const chain = new Set<string>();
    for (const id of state.values()) for (const auth of chainOf(events, id)) chain.add(auth);
    return chain;
  });
  const full = new Set(conflictedIds);
  for (const chain of chains) {
    for (const id of chain) if (!chains.every((other) => other.has(id))) full.add(id);
  }
  if (isV21) for (const id of pathsBetween(conflictedIds, events)) full.add(id);

  const isPower = (id: string) => {
    const { type, state_key: stateKey, sender, content } = events.get(id)!;
    if (type === 'm.room.power_levels' || type === 'm.room.join_rules') return true;
    const membership = content['membership'];
    const removes = membership === 'leave' || membership === 'ban';
    return type === 'm.room.member' && removes && sender !== stateKey;
  };
  const x = new Set<string>();
  for (const id of full) {
    if (!isPower(id)) continue;
    x.add(id);
    for (const auth of chainOf(events, id)) if (full.has(auth)) x.add(auth);
  }
  const levelOf = (id: string) => {
    const { sender } = events.get(id)!;
    const create = events.get(createId)!;
    if (creatorsOf(version, create).includes(sender)) return Infinity;
    const auths = authOf(events, id).map((auth) => events.get(auth)!);
    const hasCreate = version.roomIdIsCreateHash || auths.some((a) => a.type === 'm.room.create');
    if (!hasCreate)
      return id === createId ? parsePowerLevels(version, undefined, create).userLevel(sender) : 0;
    const levels = auths.find((auth) => auth.type === 'm.room.power_levels');
    return parsePowerLevels(version, levels, create).userLevel(sender);
  };
  const smaller = (a: string, b: string) => {
    if (levelOf(a) !== levelOf(b)) return levelOf(a) > levelOf(b);
    const [ta, tb] = [events.get(a)!.origin_server_ts, events.get(b)!.origin_server_ts];
    return ta === tb ? a < b : ta < tb;
  };
  const order: string[] = [];
  const left = new Set(x);
  while (left.size > 0) {
    const free = [...left].filter((id) => !authOf(events, id).some((auth) => left.has(auth)));
    const next = free.reduce((best, id) => (smaller(id, best) ? id : best));
    order.push(next);
    left.delete(next);
  }
  const result = isV21 ? new Map<string, string>() : new Map(unconflicted);
  const apply = (ids: string[]) => {
    for (const id of ids) {
      const { type, state_key: stateKey } = events.get(id)!;
      if (allowed(version, result, events, id, createId)) result.set(keyOf(type, stateKey!), id);
    }
  };
  apply(order);

  const levelsOf = (id: string) =>
    authOf(events, id).find((auth) => events.get(auth)!.type === 'm.room.power_levels');
  const mainline: string[] = [];
  for (let p = result.get(keyOf('m.room.power_levels', '')); p !== undefined; p = levelsOf(p)) {
    mainline.push(p);
  }
  const position = (id: string) => {
    for (let e = levelsOf(id); e !== undefined; e = levelsOf(e)) {
      if (mainline.includes(e)) return mainline.indexOf(e);
    }
    return Infinity;
  };
  const rest = [...full].filter((id) => !x.has(id));
  rest.sort((a, b) => {
    const [pa, pb] = [position(a), position(b)];
    if (pa !== pb) return pa > pb ? -1 : 1;
    const [ta, tb] = [events.get(a)!.origin_server_ts, events.get(b)!.origin_server_ts];
    if (ta !== tb) return ta - tb;
    return a < b ? -1 : 1;
  });
  apply(rest);
  for (const [key, id] of unconflicted) result.set(key, id);
  return result;
}
