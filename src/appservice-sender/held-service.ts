import type { Fence } from '../database/fence.ts';
import type { Progress } from './store/progress.ts';
import type { Transaction } from './transaction.ts';
import { Waiting } from './waiting.ts';

/** A service that this process sends to. */
export class HeldService {
  readonly id: string;
  readonly shard: number;
  readonly fence: Fence | null;
  /** It has everything up to here. */
  pos: number;
  txnId: number;
  /** What is being sent, until it has arrived. */
  transaction: Transaction | null = null;
  /** What an earlier process has been sending; taken up when there is time to read it. */
  stored: Progress['transaction'];
  failingSinceTs: number | null;
  /** What the database says of it, but for the transaction. */
  savedPos: number;
  /** The newest end of a transaction, or failure, is not written down. */
  isUnsaved = false;
  /** Tries that have failed, one after the other. */
  failures = 0;
  /** Not to be tried before, milliseconds since 1970. */
  dueTs = 0;
  isRunning = false;
  /** There may be something new since its last page was read. */
  isWoken = false;
  /** It is another process's by now, or registered no more. */
  isGone = false;
  readonly waiting = new Waiting();

  constructor(
    { id, pos, txnId, transaction, failingSinceTs }: Progress,
    shard: number,
    fence: Fence | null,
  ) {
    this.id = id;
    this.shard = shard;
    this.fence = fence;
    this.pos = pos;
    this.savedPos = pos;
    this.txnId = txnId;
    this.stored = transaction;
    this.failingSinceTs = failingSinceTs;
  }

  progress(): Progress {
    const { id, pos, txnId, failingSinceTs } = this;
    return { id, pos, txnId, transaction: this.transaction ?? this.stored, failingSinceTs };
  }
}
