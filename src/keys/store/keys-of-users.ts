import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

/** One thing that is known of a user's keys. */
export interface KeyRow {
  userNid: number;
  /**
   * `device`, the usage of a cross-signing key, `signature`: of one of the user's own keys, or
   * `position`: of the last change; for users of other servers a number that grows with each.
   */
  kind: 'device' | 'master' | 'self_signing' | 'user_signing' | 'signature' | 'position';
  /** Device id, public key, or what is signed. */
  id: string;
  /** JSON text of the key; the signature; the position. */
  value: string;
  /** Display name of the device; signing key. */
  name: string | null;
}

/** Of users of other servers both grow: with what was announced, and with what was fetched. */
const positions = `
  select user_nid, sum(pos)::bigint as pos from (
      select user_nid, pos from device_list_changes where user_nid = any($1)
      union all
      select user_nid, version from remote_device_lists where user_nid = any($1)) changes
    group by user_nid`;

const selectKeys = statement<[userNids: number[]], KeyRow>(
  'keys.of_users',
  `select k.user_nid as "userNid", 'device' as kind, d.device_id as id, k.keys as value,
       d.display_name as name
     from device_keys k
     join devices d on d.user_nid = k.user_nid and d.device_nid = k.device_nid
     where k.user_nid = any($1)
   union all
   select user_nid, 'device', device_id, keys, display_name from remote_device_keys
     where user_nid = any($1)
   union all
   select user_nid, usage, public_key, key, null from cross_signing_keys where user_nid = any($1)
   union all
   select target_nid, 'signature', target_id, signature, key_id from key_signatures
     where target_nid = any($1) and signer_nid = target_nid
   union all
   select user_nid, 'position', '', pos::text, null from (${positions}) p`,
);

const selectPositions = statement<[userNids: number[]], { userNid: number; pos: number }>(
  'keys.positions',
  `select user_nid as "userNid", pos from (${positions}) p`,
);

const selectHasDevice = statement<[userNid: number, deviceIds: string[]], { has: boolean }>(
  'keys.has_device',
  `select exists (select from devices where user_nid = $1 and device_id = any($2)) as has`,
);

/** A signature of a user on another user's key. */
export interface UserSignature {
  targetNid: number;
  targetId: string;
  keyId: string;
  signature: string;
  pos: number;
}

const selectSignaturesBy = statement<[signerNid: number], UserSignature>(
  'keys.signatures_by',
  `select target_nid as "targetNid", target_id as "targetId", key_id as "keyId", signature, pos
   from key_signatures where signer_nid = $1 and pos is not null`,
);

const selectSigningPosition = statement<[signerNid: number], { pos: number | null }>(
  'keys.signing_position',
  'select max(pos) as pos from key_signatures where signer_nid = $1 and pos is not null',
);

export function createKeyStore(database: Queryable) {
  return {
    ofUsers: (userNids: number[]) => database.query(selectKeys, [userNids]),
    /** When users' keys last changed; those without keys are absent. */
    positions: (userNids: number[]) => database.query(selectPositions, [userNids]),
    /** When a user last signed others' keys; 0: never. */
    async signingPosition(signerNid: number): Promise<number> {
      return (await database.query(selectSigningPosition, [signerNid]))[0]!.pos ?? 0;
    },
    /** Whether one of the ids is that of a device of the user, also of one without keys. */
    async hasDevice(userNid: number, deviceIds: string[]): Promise<boolean> {
      return (await database.query(selectHasDevice, [userNid, deviceIds]))[0]!.has;
    },
    /** Of others' keys. */
    signaturesBy: (signerNid: number) => database.query(selectSignaturesBy, [signerNid]),
  };
}

export type KeyStore = ReturnType<typeof createKeyStore>;
