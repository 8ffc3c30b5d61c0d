import { defineRole } from '../cluster/role.ts';
import type { TypingUser } from './typists.ts';

type TypingMethods = {
  /** The user types for a time from now on. */
  start(args: { user: TypingUser; timeoutMs: number }): void;
  end(args: { roomNid: number; userId: string }): void;
};

/** Who decides who is typing, by room. */
export const typingRole = defineRole<TypingMethods>('typing', 16);
