import { Type } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import type { JsonObject } from '../../matrix/pdu.ts';
import type { NoticeSender } from '../sender.ts';

export interface SendNoticeNeeds {
  /** Null: notices are not configured. */
  sender: NoticeSender | null;
}

const path = '/_synapse/admin/v1/send_server_notice';

export const sendServerNotice = (['POST', 'PUT'] as const).map((method) =>
  endpoint<SendNoticeNeeds>()({
    operation: method === 'POST' ? 'sendServerNotice' : 'sendServerNoticeWithTxn',
    method,
    paths: [method === 'POST' ? path : `${path}/:txnId`],
    auth: 'admin',
    runsOn: { group: 'admin', balance: 'none' },
    summary: 'Sends a notice of the server to a user',
    source: 'Synapse admin API, "Server Notices"',
    body: Type.Object({
      user_id: Type.String(),
      content: Type.Record(Type.String(), Type.Any()),
      type: Type.Optional(Type.String()),
      state_key: Type.Optional(Type.String()),
    }),
    errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_INVALID_PARAM', 'M_UNKNOWN'],
    async handle({ params, body, requester }, { sender }) {
      if (!sender) {
        throw new MatrixError('M_UNKNOWN', 'Server notices are not enabled on this server');
      }
      const { txnId } = params;
      const notice = {
        type: body.type ?? 'm.room.message',
        stateKey: body.state_key,
        content: body.content as JsonObject,
      };
      const transaction =
        txnId === undefined ? undefined : { requesterNid: requester.userNid, txnId };
      return { event_id: await sender.send(body.user_id, notice, transaction) };
    },
  }),
);
