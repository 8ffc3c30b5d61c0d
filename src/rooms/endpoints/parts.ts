import { Type } from 'typebox';
import type { Requester } from '../../http/endpoint.ts';
import type { TransactionKey } from '../writer/proto-event.ts';

export const reasonBody = Type.Object({ reason: Type.Optional(Type.String()) });
export const targetBody = Type.Object({
  user_id: Type.String(),
  reason: Type.Optional(Type.String()),
});
export const contentBody = Type.Record(Type.String(), Type.Any());

/** Where a client's transaction id counts; see `Transactions`. */
export const transactionOf = (
  requester: Requester,
  scope: string,
  txnId: string,
): TransactionKey => ({ deviceNid: requester.deviceNid, txnId, scope });
