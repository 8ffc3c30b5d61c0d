import { defineStream } from '../streams/define-stream.ts';

/** Who is typing in a room has changed, or is said again for other servers. */
export interface TypingRow {
  roomNid: number;
  roomId: string;
  /** Everybody who is typing there now. */
  userIds: readonly string[];
  change: { userId: string; isLocal: boolean; isTyping: boolean };
}

export const typingStream = defineStream<TypingRow>({
  name: 'typing',
  durable: false,
  shardedBy: 'room',
});
