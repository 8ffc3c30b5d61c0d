import { defineStream } from '../streams/define-stream.ts';

/** An event of another server that this one sends to others. */
export interface PassedOnRow {
  roomNid: number;
  eventNid: number;
  /** Who has it already. */
  origin: string;
}

export const passedOnStream = defineStream<PassedOnRow>({
  name: 'federation_passed_on_events',
  durable: true,
  shardedBy: 'room',
});
