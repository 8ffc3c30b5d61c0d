import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { Clock } from '../kernel/clock.ts';
import { eventStream } from '../rooms/module.ts';
import type { Bus } from '../streams/bus.ts';
import { setTyping, type TypingSurroundings } from './endpoints/set-typing.ts';
import { typingStream } from './streams.ts';
import { createTypists, type TypingUser } from './typists.ts';

export { typingStream } from './streams.ts';
export type { TypingRow } from './streams.ts';
export type { TypingUser } from './typists.ts';
export type { TypingSurroundings } from './endpoints/set-typing.ts';

export interface TypingNeeds extends TypingSurroundings {
  clock: Clock;
  bus: Bus;
}

export interface Typing {
  endpoints: Endpoint[];
  /** Who is typing in a room. */
  typingIn(roomNid: number): readonly string[];
  /** A user of another server, known to be joined, types for a while; null: no longer. */
  receive(user: Omit<TypingUser, 'isLocal'>, timeoutMs: number | null): void;
  stop(): void;
}

/** The `m.typing` event of a room for `/sync`, as JSON text. */
export function typingEventJson(userIds: readonly string[]): string {
  return `{"content":{"user_ids":${JSON.stringify(userIds)}},"type":"m.typing"}`;
}

const nobody: readonly string[] = [];

/** Typing notifications. */
export function createTyping(needs: TypingNeeds): Typing {
  const { clock, bus, rooms, noteActivity } = needs;
  const typists = createTypists(clock, bus);
  // Kept from the stream, so that it is the same in a process that decides nothing.
  const typing = new Map<number, readonly string[]>();
  bus.subscribe(typingStream, (rows) => {
    for (const { row } of rows) {
      if (row.userIds.length > 0) typing.set(row.roomNid, row.userIds);
      else typing.delete(row.roomNid);
    }
  });
  bus.subscribe(eventStream, (rows) => {
    for (const { row } of rows) {
      const { membership, event } = row;
      if (membership?.from === 'join' && membership.to !== 'join') {
        typists.end(event.roomNid, membership.userId);
      }
    }
  });
  return {
    endpoints: bindEndpoints([setTyping], { rooms, typists, noteActivity }),
    typingIn: (roomNid) => typing.get(roomNid) ?? nobody,
    receive(user, timeoutMs) {
      if (timeoutMs === null) typists.end(user.roomNid, user.userId);
      else typists.start({ ...user, isLocal: false }, timeoutMs);
    },
    stop: () => typists.stop(),
  };
}
