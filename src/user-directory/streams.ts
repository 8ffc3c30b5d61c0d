import { defineStream } from '../streams/define-stream.ts';

/**
 * Something was noted for the directory: whoever keeps it may look at once. Not durable, since the
 * notes themselves are kept in the database and are looked at every second anyway.
 */
export const directoryWorkStream = defineStream<{ userNid: number }>({
  name: 'user_directory_work',
  durable: false,
  shardedBy: 'none',
});
