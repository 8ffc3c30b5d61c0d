import { Type } from 'typebox';
import { clientPaths, endpoint, JsonText } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { claimedMembers } from '../claimed-keys.ts';
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
    const claims = body.one_time_keys;
    const { local, remote, malformed } = askedUsers(claims, services.serverName);
    if (malformed.length > 0) {
      throw new MatrixError('M_INVALID_PARAM', `${malformed[0]} is not a user id`);
    }
    const [members, others] = await Promise.all([
      claimedMembers(claims, local, services),
      services.remoteKeys.claim(remote, remoteTimeoutMs(body.timeout)),
    ]);
    for (const [userId, devices] of Object.entries(others.keys)) {
      members.push(`${JSON.stringify(userId)}:${JSON.stringify(devices)}`);
    }
    const failures = JSON.stringify(others.failures);
    return new JsonText(`{"failures":${failures},"one_time_keys":{${members.join(',')}}}`);
  },
});
