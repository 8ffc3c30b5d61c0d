import { defineStream } from '../streams/define-stream.ts';

/** A user's name or avatar has changed: what processes remember of them is void. */
export const profileStream = defineStream<{ userId: string }>({
  name: 'profiles',
  durable: false,
  shardedBy: 'user',
});

/**
 * Something about a user's tokens or rights has changed: what processes remember of them is void.
 * Not durable, since nothing remembered outlives a few minutes.
 */
export const sessionStream = defineStream<{ userNid: number }>({
  name: 'sessions',
  durable: false,
  shardedBy: 'user',
});
