import { defineStream } from '../streams/define-stream.ts';

/**
 * Something about a user's tokens or rights has changed: what processes remember of them is void.
 * Not durable, since nothing remembered outlives a few minutes.
 */
export const sessionStream = defineStream<{ userNid: number }>({
  name: 'sessions',
  durable: false,
  shardedBy: 'user',
});
