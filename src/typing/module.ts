import { shardOf, type Roles } from '../cluster/role.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { Clock } from '../kernel/clock.ts';
import { eventStream } from '../rooms/module.ts';
import type { Bus } from '../streams/bus.ts';
import { createTypingBoard } from './board.ts';
import { setTyping, type TypingSurroundings } from './endpoints/set-typing.ts';
import { typingRole } from './role.ts';
import { typingStream } from './streams.ts';
import { createTypists, type TypingUser } from './typists.ts';

export { typingStream } from './streams.ts';
export type { TypingRow } from './streams.ts';
export type { TypingUser } from './typists.ts';
export type { TypingSurroundings } from './endpoints/set-typing.ts';

export interface TypingNeeds extends Omit<TypingSurroundings, 'start' | 'end'> {
  clock: Clock;
  bus: Bus;
  roles: Roles;
}

export interface Typing {
  endpoints: Endpoint[];
  /** Who is typing in a room. */
  usersIn(roomNid: number): readonly string[];
  /** Ephemeral position of the last change in a room, if lately; else 0. */
  changedAt(roomNid: number): number;
  /** A user of another server, known to be joined, types for a while; null: no longer. */
  receive(user: Omit<TypingUser, 'isLocal'>, timeoutMs: number | null): Promise<void>;
  stop(): void;
}

/** The `m.typing` event of a room for `/sync`, as JSON text. */
export function typingEventJson(userIds: readonly string[]): string {
  return `{"content":{"user_ids":${JSON.stringify(userIds)}},"type":"m.typing"}`;
}

/** Typing notifications. */
export function createTyping(needs: TypingNeeds): Typing {
  const { clock, bus, roles, rooms, noteActivity } = needs;
  const typists = createTypists(clock, bus);
  const board = createTypingBoard(bus);
  const shard = (roomId: string) => shardOf(typingRole, roomId);

  /** What the former holder has announced ends with it: it may have died. */
  function clear(shards: readonly number[]): void {
    for (const { roomNid, roomId, userIds } of board.rooms()) {
      if (!shards.includes(shard(roomId))) continue;
      const change = { userId: userIds[0]!, isLocal: false, isTyping: false };
      const row = { roomNid, roomId, userIds: [], change };
      bus.publish([{ stream: typingStream, pos: bus.nextEphemeral(), row }]);
    }
  }
  roles.serve(typingRole, {
    methods: {
      start: ({ user, timeoutMs }) => typists.start(user, timeoutMs),
      end: ({ roomNid, userId }) => typists.end(roomNid, userId),
    },
    taken: clear,
    released: (shards) => typists.endRooms((roomId) => shards.includes(shard(roomId))),
  });
  const start = (user: TypingUser, timeoutMs: number) =>
    roles.call(typingRole, user.roomId, 'start', { user, timeoutMs });
  const end = ({ roomNid, roomId, userId }: Omit<TypingUser, 'isLocal'>) =>
    roles.call(typingRole, roomId, 'end', { roomNid, userId });

  bus.subscribe(eventStream, (rows) => {
    for (const { row } of rows) {
      for (const { userId, from, to } of row.memberships) {
        if (from === 'join' && to !== 'join') typists.end(row.event.roomNid, userId);
      }
    }
  });
  return {
    endpoints: bindEndpoints([setTyping], { rooms, start, end, noteActivity }),
    usersIn: (roomNid) => board.usersIn(roomNid),
    changedAt: (roomNid) => board.changedAt(roomNid),
    receive: (user, timeoutMs) =>
      timeoutMs === null ? end(user) : start({ ...user, isLocal: false }, timeoutMs),
    stop: () => typists.stop(),
  };
}
