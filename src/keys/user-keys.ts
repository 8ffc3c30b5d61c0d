import type { JsonObject, JsonValue } from '../matrix/pdu.ts';
import type { KeyRow } from './store/keys-of-users.ts';

/** The usages of cross-signing keys. */
export const crossSigningUsages = ['master', 'self_signing', 'user_signing'] as const;
export type CrossSigningUsage = (typeof crossSigningUsages)[number];

export interface CrossSigningKey {
  /** Unpadded base64. */
  publicKey: string;
  /** As uploaded, with the owner's signatures. */
  key: JsonObject;
  /** The same as JSON text. */
  json: string;
}

/** What the server knows of a user's keys, ready to be sent. */
export interface UserKeys {
  /** By device id: `keys`, as uploaded; `json` what clients are shown. */
  devices: ReadonlyMap<string, { keys: JsonObject; json: string }>;
  /** All devices as one JSON object. */
  devicesJson: string;
  crossSigning: Partial<Record<CrossSigningUsage, CrossSigningKey>>;
  /** When this last changed; 0: never. */
  pos: number;
  /** About how much memory this takes, in UTF-16 units. */
  size: number;
}

type Signatures = Record<string, Record<string, JsonValue>>;

/** The object with further signatures by a user: key id → signature. */
export function withSignatures(
  object: JsonObject,
  userId: string,
  added: Iterable<readonly [keyId: string, signature: string]>,
): JsonObject {
  const before = (object['signatures'] ?? {}) as Signatures;
  const own = { ...before[userId], ...Object.fromEntries(added) };
  if (Object.keys(own).length === 0) return object;
  return { ...object, signatures: { ...before, [userId]: own } };
}

/** Puts together what one user's rows say. */
export function userKeysOf(userId: string, rows: readonly KeyRow[]): UserKeys {
  const signatures = new Map<string, (readonly [string, string])[]>();
  for (const { kind, id, value, name } of rows) {
    if (kind !== 'signature') continue;
    const list = signatures.get(id) ?? [];
    list.push([name!, value]);
    signatures.set(id, list);
  }
  const devices = new Map<string, { keys: JsonObject; json: string }>();
  const crossSigning: UserKeys['crossSigning'] = {};
  let pos = 0;
  for (const { kind, id, value, name } of rows) {
    if (kind === 'position') pos = Number(value);
    if (kind === 'signature' || kind === 'position') continue;
    const uploaded = JSON.parse(value) as JsonObject;
    const key = withSignatures(uploaded, userId, signatures.get(id) ?? []);
    if (kind === 'device') {
      const unsigned = name === null ? {} : { device_display_name: name };
      devices.set(id, { keys: uploaded, json: JSON.stringify({ ...key, unsigned }) });
    } else {
      crossSigning[kind] = { publicKey: id, key, json: JSON.stringify(key) };
    }
  }
  const texts = Array.from(devices, ([id, { json }]) => `${JSON.stringify(id)}:${json}`);
  const devicesJson = `{${texts.join(',')}}`;
  const keySize = rows.reduce((sum, { value }) => sum + value.length, 0);
  return { devices, devicesJson, crossSigning, pos, size: 500 + 3 * keySize + devicesJson.length };
}
