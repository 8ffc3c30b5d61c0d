import { defineStream } from '../streams/define-stream.ts';

/** A job is to be begun at a time, or has ended. */
export const roomJobStream = defineStream<{ jobId: string; shard: number; dueTs: number | null }>({
  name: 'room_jobs',
  durable: false,
  shardedBy: 'room',
});
