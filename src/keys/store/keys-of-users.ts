import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

/** One thing that is known of a user's keys. */
export interface KeyRow {
  userNid: number;
  /** `device`, the usage of a cross-signing key, or `signature`: of one of the user's own keys. */
  kind: 'device' | 'master' | 'self_signing' | 'user_signing' | 'signature';
  /** Device id, public key, or what is signed. */
  id: string;
  /** JSON text of the key; the signature. */
  value: string;
  /** Display name of the device; signing key. */
  name: string | null;
}

const selectKeys = statement<[userNids: number[]], KeyRow>(
  'keys.of_users',
  `select k.user_nid as "userNid", 'device' as kind, d.device_id as id, k.keys as value,
       d.display_name as name
     from device_keys k
     join devices d on d.user_nid = k.user_nid and d.device_nid = k.device_nid
     where k.user_nid = any($1)
   union all
   select user_nid, usage, public_key, key, null from cross_signing_keys where user_nid = any($1)
   union all
   select target_nid, 'signature', target_id, signature, key_id from key_signatures
     where target_nid = any($1) and signer_nid = target_nid`,
);

/** A signature of a user on another user's key. */
export interface UserSignature {
  targetNid: number;
  targetId: string;
  keyId: string;
  signature: string;
}

const selectSignaturesBy = statement<[signerNid: number], UserSignature>(
  'keys.signatures_by',
  `select target_nid as "targetNid", target_id as "targetId", key_id as "keyId", signature
   from key_signatures where signer_nid = $1 and pos is not null`,
);

export function createKeyStore(database: Queryable) {
  return {
    ofUsers: (userNids: number[]) => database.query(selectKeys, [userNids]),
    /** Of others' keys. */
    signaturesBy: (signerNid: number) => database.query(selectSignaturesBy, [signerNid]),
  };
}

export type KeyStore = ReturnType<typeof createKeyStore>;
