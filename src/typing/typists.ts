import type { Clock } from '../kernel/clock.ts';
import { createTimerWheel } from '../kernel/timer-wheel.ts';
import type { Bus } from '../streams/bus.ts';
import { typingStream } from './streams.ts';

/** Longest time that one request can make a user type. */
export const typingMsMax = 120_000;
/** How long other servers believe that a user types; they are told again before. */
const sayAgainAfterMs = 40_000;
/** How late an end of typing may be noticed. */
const tickMs = 250;
/** Typing users in one room: each change sends the whole list to everybody in it. */
const roomTypistsMax = 200;
/** Typing users in all rooms; about 200 bytes each. */
const typistsMax = 50_000;

export interface TypingUser {
  roomNid: number;
  roomId: string;
  userId: string;
  isLocal: boolean;
}

interface Typist extends TypingUser {
  untilMs: number;
  /** When the wheel calls next. */
  calledAtMs: number;
  saidAtMs: number;
}

/** Who is typing where, as the process that decides it knows. Lost on restart. */
export interface Typists {
  /** Types for a time, at most `typingMsMax`, from now on. */
  start(user: TypingUser, timeoutMs: number): void;
  end(roomNid: number, userId: string): void;
  /** Ends all typing in the rooms that `ends` says. */
  endRooms(ends: (roomId: string) => boolean): void;
  /** Ends the typing of those whose time is over; happens by itself. */
  expire(): void;
  stop(): void;
}

export function createTypists(clock: Clock, bus: Bus): Typists {
  const rooms = new Map<number, Map<string, Typist>>();
  let count = 0;
  const wheel = createTimerWheel<Typist>({ clock, tickMs, due: onDue });

  function announce(typist: Typist, isTyping: boolean): void {
    const { roomNid, roomId, userId, isLocal } = typist;
    typist.saidAtMs = clock.now();
    const userIds = [...(rooms.get(roomNid)?.keys() ?? [])];
    const row = { roomNid, roomId, userIds, change: { userId, isLocal, isTyping } };
    bus.publish([{ stream: typingStream, pos: bus.nextEphemeral(), row }]);
  }

  function remove(typist: Typist): void {
    const room = rooms.get(typist.roomNid)!;
    room.delete(typist.userId);
    if (room.size === 0) rooms.delete(typist.roomNid);
    count--;
    announce(typist, false);
  }

  function call(typist: Typist): void {
    typist.calledAtMs = typist.untilMs;
    wheel.set(typist, typist.untilMs);
  }

  function onDue(typist: Typist): void {
    if (rooms.get(typist.roomNid)?.get(typist.userId) !== typist) return;
    if (clock.now() >= typist.untilMs) remove(typist);
    else call(typist);
  }

  return {
    start(user, timeoutMs) {
      const now = clock.now();
      const untilMs = now + Math.min(Math.max(timeoutMs, 0), typingMsMax);
      const room = rooms.get(user.roomNid) ?? new Map<string, Typist>();
      const known = room.get(user.userId);
      if (known) {
        known.untilMs = untilMs;
        if (untilMs < known.calledAtMs) call(known);
        if (now - known.saidAtMs >= sayAgainAfterMs) announce(known, true);
        return;
      }
      if (room.size >= roomTypistsMax || count >= typistsMax) return;
      const typist = { ...user, untilMs, calledAtMs: untilMs, saidAtMs: now };
      rooms.set(user.roomNid, room.set(user.userId, typist));
      count++;
      call(typist);
      announce(typist, true);
    },
    end(roomNid, userId) {
      const typist = rooms.get(roomNid)?.get(userId);
      if (typist) remove(typist);
    },
    endRooms(ends) {
      for (const typist of [...rooms.values()].flatMap((room) => [...room.values()])) {
        if (ends(typist.roomId)) remove(typist);
      }
    },
    expire: () => wheel.run(),
    stop: () => wheel.stop(),
  };
}
