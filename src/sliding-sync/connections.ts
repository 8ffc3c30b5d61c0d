import { boundedCache } from '../kernel/bounded-cache.ts';
import type { Clock } from '../kernel/clock.ts';
import { MatrixError } from '../kernel/errors.ts';
import { formatPosition, parsePosition, type StreamPosition } from '../streams/position.ts';
import {
  decodeState,
  emptyState,
  encodeState,
  type ConnectionState,
  type StateDraft,
} from './connection.ts';
import type { ConnectionKey, ConnectionStore } from './store/connections.ts';

/** States kept in memory, of about 20 bytes a room. */
const cachedStatesMax = 20_000;

/** Where a connection is: what it has been sent, and how far it is in the streams. */
export interface ConnectionPlace {
  stateId: number;
  since: StreamPosition;
}

/** Shape: `<state>/s<durable>_<ephemeral>`. */
export const formatPos = ({ stateId, since }: ConnectionPlace) =>
  `${stateId}/${formatPosition(since)}`;

const unknownPos = () =>
  new MatrixError('M_UNKNOWN_POS', 'The position is not known here; begin a new connection');

/** Throws M_UNKNOWN_POS. */
export function parsePos(text: string): ConnectionPlace {
  const [id, position, ...more] = text.split('/');
  const since = parsePosition(position ?? '');
  if (!since || !/^\d{1,16}$/.test(id!) || more.length > 0) throw unknownPos();
  return { stateId: Number(id), since };
}

/** What connections have been sent; in the database, so that any process can go on with them. */
export interface Connections {
  /** Throws M_UNKNOWN_POS when the connection was lost. */
  state(key: ConnectionKey, stateId: number): Promise<ConnectionState>;
  /** The id of the state after an answer: a new one when something has changed. */
  keep(key: ConnectionKey, beforeId: number, draft: StateDraft): Promise<number>;
}

export function createConnections(store: ConnectionStore, clock: Clock): Connections {
  const states = boundedCache<string, ConnectionState>(cachedStatesMax);
  const nameOf = ({ userNid, deviceNid, connId }: ConnectionKey, id: number) =>
    `${userNid} ${deviceNid} ${id} ${connId}`;

  /** Above the one before, and another one in every process that may answer at the same time. */
  const newId = (beforeId: number) =>
    Math.max(clock.now() * 1_000, beforeId) + 1 + Math.floor(Math.random() * 1_000);

  return {
    async state(key, stateId) {
      if (stateId === 0) return emptyState;
      const known = states.get(nameOf(key, stateId));
      if (known) return known;
      const text = await store.state(key, stateId);
      if (text === null) throw unknownPos();
      const state = decodeState(stateId, text);
      states.set(nameOf(key, stateId), state);
      return state;
    },
    async keep(key, beforeId, draft) {
      if (!draft.isChanged) return beforeId;
      const state = draft.finish(newId(beforeId));
      const { id } = state;
      const writtenTs = clock.now();
      await store.put(key, { id, beforeId, state: encodeState(state), writtenTs });
      states.set(nameOf(key, id), state);
      return id;
    },
  };
}
