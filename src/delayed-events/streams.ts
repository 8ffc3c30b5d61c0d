import { defineStream } from '../streams/define-stream.ts';

/** Tells who sends the events of a shard that the next may be due sooner than it was. */
export const delayedEventStream = defineStream<{ shard: number; sendTs: number }>({
  name: 'delayed_events',
  durable: false,
  shardedBy: 'room',
});
