import { BatchFailed, type CommitKind, type Committer } from '../streams/committer.ts';
import type { StreamRow } from '../streams/define-stream.ts';
import { moveReceipts, type MovedRow } from './store/receipts.ts';
import { receiptStream, type ReceiptRow } from './streams.ts';

/** A receipt that a user wants to have. */
export type NewReceipt = Omit<ReceiptRow, 'eventPos' | 'eventSub'>;

/** `behind`: the user's receipt was there, or further, already. */
export type ReceiptOutcome = 'moved' | 'behind' | 'unknown_event';

/** All receipts that come together are written with one statement. */
const receiptCommits: CommitKind<NewReceipt, ReceiptOutcome> = {
  name: 'receipts',
  statements: (units) => [
    {
      statement: moveReceipts as never,
      params: [
        units.map((unit) => unit.roomNid),
        units.map((unit) => unit.userNid),
        units.map((unit) => unit.type),
        units.map((unit) => unit.threadId ?? ''),
        units.map((unit) => unit.eventId),
        units.map((unit) => unit.ts),
      ],
    },
  ],
  complete(units, rows) {
    const publish: StreamRow<ReceiptRow>[] = [];
    const results = (rows[0] as MovedRow[]).map((moved, i): ReceiptOutcome => {
      if (moved.eventPos === null) return 'unknown_event';
      if (moved.pos === null) return 'behind';
      const row = { ...units[i]!, eventPos: moved.eventPos, eventSub: moved.eventSub! };
      publish.push({ stream: receiptStream, pos: moved.pos, row });
      return 'moved';
    });
    return { results, publish: publish.toSorted((a, b) => a.pos - b.pos) };
  },
};

/** Writes a receipt. Resolves when it is on disk and announced. */
export async function commitReceipt(
  committer: Committer,
  receipt: NewReceipt,
): Promise<ReceiptOutcome> {
  try {
    return await committer.commit(receiptCommits, receipt);
  } catch (error) {
    // Another write of the batch may be to blame.
    if (!(error instanceof BatchFailed)) throw error;
    return committer.commit(receiptCommits, receipt, { alone: true });
  }
}
