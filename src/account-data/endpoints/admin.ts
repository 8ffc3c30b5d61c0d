import { endpoint } from '../../http/endpoint.ts';
import type { JsonObject } from '../../matrix/pdu.ts';
import { pushRulesType } from '../entries.ts';
import type { AccountDataServices } from '../services.ts';

export const adminAccountData = endpoint<AccountDataServices>()({
  operation: 'adminUserAccountData',
  method: 'GET',
  paths: ['/_synapse/admin/v1/users/:userId/accountdata'],
  auth: 'admin',
  runsOn: { group: 'admin', balance: 'none' },
  summary: 'What is kept for a user, without push rules',
  source: 'Synapse admin API, "Account Data"',
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_INVALID_PARAM'],
  async handle({ params }, { accountOf, store }) {
    const { userNid } = await accountOf(params['userId']!);
    const global: JsonObject = {};
    const rooms: Record<string, JsonObject> = {};
    for (const { roomId, type, content } of await store.everything(userNid)) {
      if (roomId === null && type === pushRulesType) continue;
      const entries = roomId === null ? global : (rooms[roomId] ??= {});
      entries[type] = JSON.parse(content) as JsonObject;
    }
    return { account_data: { global, rooms } };
  },
});
