import { Type } from 'typebox';
import { MatrixError } from '../../kernel/errors.ts';
import { isRoomAlias, isRoomId } from '../../matrix/ids.ts';
import type { Requester } from '../../http/endpoint.ts';
import type { RoomServices } from '../services.ts';
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

/** The room that a room id or alias names. Throws M_INVALID_PARAM, M_NOT_FOUND. */
export async function resolveRoom(services: RoomServices, idOrAlias: string): Promise<string> {
  if (isRoomId(idOrAlias)) return idOrAlias;
  if (!isRoomAlias(idOrAlias)) {
    throw new MatrixError('M_INVALID_PARAM', `${idOrAlias} was not legal room ID or room alias`);
  }
  const found = await services.aliases.find(idOrAlias);
  if (!found) throw new MatrixError('M_NOT_FOUND', `Room alias ${idOrAlias} not found`);
  return found.roomId;
}
