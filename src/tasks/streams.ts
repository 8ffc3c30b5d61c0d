import { defineStream } from '../streams/define-stream.ts';

/** Tells whoever does tasks that there may be something to do. */
export const taskStream = defineStream<{ reason: 'scheduled' | 'enabled' }>({
  name: 'scheduled_tasks',
  durable: false,
  shardedBy: 'none',
});
