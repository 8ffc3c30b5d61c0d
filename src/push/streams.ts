import { defineRole } from '../cluster/role.ts';
import { defineStream } from '../streams/define-stream.ts';

/** Pushers of a user have come, gone or changed. */
export const pusherStream = defineStream<{ userId: string; userNid: number }>({
  name: 'pushers',
  durable: false,
  shardedBy: 'user',
});

/** Judging events for users with pushers, and pushing. Key: the user id. */
export const pusherRole = defineRole('pusher', 16);
