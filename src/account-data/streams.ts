import { defineStream } from '../streams/define-stream.ts';

/** An entry of a user's account data. Null content: it was deleted. */
export interface AccountDataRow {
  userNid: number;
  /** 0: global. */
  roomNid: number;
  type: string;
  content: string | null;
}

export const accountDataStream = defineStream<AccountDataRow>({
  name: 'account_data',
  durable: true,
  shardedBy: 'user',
});
