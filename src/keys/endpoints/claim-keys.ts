import { Type } from 'typebox';
import { clientPaths, endpoint, JsonText } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import type { KeyWanted } from '../one-time-keys.ts';
import { askedUsers, remoteTimeoutMs, type KeysServices } from '../services.ts';

/** Gives each key that is wanted to this client alone, or the device's fallback key. */
export const claimKeys = endpoint<KeysServices>()({
  operation: 'claimKeys',
  method: 'POST',
  paths: clientPaths('/keys/claim'),
  auth: 'guest',
  runsOn: { group: 'client', balance: 'none' },
  summary: 'Claims one-time keys of devices',
  source: 'CS 1.19, claimKeys; MSC2732, MSC4225',
  body: Type.Object({
    one_time_keys: Type.Record(Type.String(), Type.Record(Type.String(), Type.String())),
    timeout: Type.Optional(Type.Integer({ minimum: 0 })),
  }),
  errors: ['M_BAD_JSON', 'M_INVALID_PARAM'],
  async handle({ body }, services) {
    const { local, remote, malformed } = askedUsers(body.one_time_keys, services.serverName);
    if (malformed.length > 0) {
      throw new MatrixError('M_INVALID_PARAM', `${malformed[0]} is not a user id`);
    }
    const asksOthers = Object.keys(remote).length > 0;
    const answered = asksOthers
      ? services.remoteKeys.claim(remote, remoteTimeoutMs(body.timeout))
      : null;
    const nids = await services.userNidsOf(local);
    const wanted: (KeyWanted & { userId: string })[] = [];
    for (const [userId, userNid] of nids) {
      for (const [deviceId, algorithm] of Object.entries(body.one_time_keys[userId]!)) {
        // No name in the database has NUL.
        if (deviceId.includes('\0') || algorithm.includes('\0')) continue;
        wanted.push({ userId, userNid, deviceId, algorithm });
      }
    }
    const [claimed, others] = await Promise.all([
      wanted.length > 0 ? services.oneTimeKeys.claim(wanted) : [],
      answered,
    ]);
    const users = new Map<string, string[]>();
    claimed.forEach((key, i) => {
      if (key === null) return;
      const { userId, deviceId } = wanted[i]!;
      const text = `${JSON.stringify(deviceId)}:{${JSON.stringify(key.keyId)}:${key.key}}`;
      const list = users.get(userId);
      if (list) list.push(text);
      else users.set(userId, [text]);
    });
    const texts = Array.from(users, ([id, list]) => `${JSON.stringify(id)}:{${list.join(',')}}`);
    for (const [userId, value] of Object.entries(others?.members['one_time_keys'] ?? {})) {
      texts.push(`${JSON.stringify(userId)}:${JSON.stringify(value)}`);
    }
    return new JsonText(
      `{"failures":${JSON.stringify(others?.failures ?? {})},"one_time_keys":{${texts.join(',')}}}`,
    );
  },
});
