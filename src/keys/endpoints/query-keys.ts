import { Type } from 'typebox';
import { clientPaths, endpoint, JsonText } from '../../http/endpoint.ts';
import type { RemoteUserKeys } from '../remote-keys.ts';
import { askedUsers, remoteTimeoutMs, type KeysServices } from '../services.ts';
import type { UserSignature } from '../store/keys-of-users.ts';
import { withSignatures, type UserKeys } from '../user-keys.ts';

/** Parts of the answer: members of the JSON objects, by user. */
interface Sections {
  device_keys: string[];
  master_keys: string[];
  self_signing_keys: string[];
  user_signing_keys: string[];
}

interface Reader {
  userId: string;
  signatures: ReadonlyMap<number, readonly UserSignature[]>;
}

function devicesJson(keys: UserKeys, deviceIds: readonly string[]): string {
  if (deviceIds.length === 0) return keys.devicesJson;
  const texts: string[] = [];
  for (const id of new Set(deviceIds)) {
    const device = keys.devices.get(id);
    if (device) texts.push(`${JSON.stringify(id)}:${device.json}`);
  }
  return `{${texts.join(',')}}`;
}

/** The master key with the reader's own signatures on it. */
function masterJson(userNid: number | null, keys: UserKeys, reader: Reader): string | null {
  const { master } = keys.crossSigning;
  if (!master) return null;
  const signatures = userNid === null ? undefined : reader.signatures.get(userNid);
  const own = signatures
    ?.filter(({ targetId }) => targetId === master.publicKey)
    .map(({ keyId, signature }) => [keyId, signature] as const);
  if (!own || own.length === 0) return master.json;
  return JSON.stringify(withSignatures(master.key, reader.userId, own));
}

function addUser(
  sections: Sections,
  user: RemoteUserKeys,
  deviceIds: readonly string[],
  reader: Reader,
): void {
  const name = JSON.stringify(user.userId);
  const { crossSigning } = user.keys;
  sections.device_keys.push(`${name}:${devicesJson(user.keys, deviceIds)}`);
  const master = masterJson(user.userNid, user.keys, reader);
  if (master) sections.master_keys.push(`${name}:${master}`);
  const { self_signing: selfSigning, user_signing: userSigning } = crossSigning;
  if (selfSigning) sections.self_signing_keys.push(`${name}:${selfSigning.json}`);
  if (userSigning && user.userId === reader.userId) {
    sections.user_signing_keys.push(`${name}:${userSigning.json}`);
  }
}

/** The current devices and keys of users. */
export const queryKeys = endpoint<KeysServices>()({
  operation: 'queryKeys',
  method: 'POST',
  paths: clientPaths('/keys/query'),
  auth: 'guest',
  runsOn: { group: 'client', balance: 'none' },
  summary: 'The current devices and keys of users',
  source: 'CS 1.19, queryKeys',
  body: Type.Object({
    device_keys: Type.Record(Type.String(), Type.Array(Type.String())),
    timeout: Type.Optional(Type.Integer({ minimum: 0 })),
  }),
  errors: ['M_BAD_JSON'],
  async handle({ body, requester }, services) {
    const wanted = body.device_keys;
    // As Synapse does, what is no user id is passed over: it is a user without keys.
    const { local, remote } = askedUsers(wanted, services.serverName);
    const answered = services.remoteKeys.query(remote, remoteTimeoutMs(body.timeout));
    const nids = await services.userNidsOf(local);
    const users = Array.from(nids, ([userId, userNid]) => ({ userId, userNid }));
    const [keys, signatures, others] = await Promise.all([
      services.directory.of(users),
      services.directory.signaturesBy(requester.userNid),
      answered,
    ]);
    const reader = { userId: requester.userId, signatures };
    const sections: Sections = {
      device_keys: [],
      master_keys: [],
      self_signing_keys: [],
      user_signing_keys: [],
    };
    for (const userId of local) {
      const userNid = nids.get(userId);
      if (userNid === undefined) sections.device_keys.push(`${JSON.stringify(userId)}:{}`);
      else {
        const user = { userId, userNid, keys: keys.get(userNid)! };
        addUser(sections, user, wanted[userId]!, reader);
      }
    }
    for (const user of others.users) addUser(sections, user, wanted[user.userId]!, reader);
    const parts = Object.entries(sections).map(([name, list]) => `"${name}":{${list.join(',')}}`);
    return new JsonText(`{"failures":${JSON.stringify(others.failures)},${parts.join(',')}}`);
  },
});
