import type { SourceRow } from '../source/source.ts';
import { inserting, isTrue, json, user, device, type Copy } from './copy.ts';

const deviceKeys: Copy = {
  name: 'keys of devices',
  reading: {
    columns: 'user_id, device_id, key_json',
    from: 'e2e_device_keys_json',
    key: ['user_id', 'device_id'],
  },
  into: inserting(
    'device_keys',
    `insert into device_keys (user_nid, device_nid, keys)
     select d.user_nid, d.device_nid, r.key_json
     from ${json('user_id text, device_id text, key_json text')} ${device}`,
  ),
};

/** A key without its signatures, and those, as they are stored. */
function splitKey(text: string): { body: string; signatures: string | null } {
  const { signatures, ...rest } = JSON.parse(text) as Record<string, unknown>;
  return {
    body: JSON.stringify(rest),
    signatures: signatures === undefined ? null : JSON.stringify(signatures),
  };
}

const withSplitKeys = (rows: SourceRow[]): SourceRow[] =>
  rows.map(({ key_json: text, ...row }) => ({ ...row, ...splitKey(text as string) }));

const keyColumns = `user_id text, device_id text, algorithm text, key_id text, body text,
  signatures text, added_ts bigint, used text`;

const oneTimeKeys: Copy = {
  name: 'one-time keys',
  reading: {
    columns: 'user_id, device_id, algorithm, key_id, ts_added_ms as added_ts, key_json',
    from: 'e2e_one_time_keys_json',
    key: ['user_id', 'device_id', 'algorithm', 'key_id'],
  },
  prepare: withSplitKeys,
  into: inserting(
    'one_time_keys',
    `insert into one_time_keys (user_nid, device_nid, algorithm, key_id, body, signatures)
     select d.user_nid, d.device_nid, r.algorithm, r.key_id, r.body, r.signatures
     from ${json(keyColumns)} ${device}
     where not exists (select from one_time_keys k where k.user_nid = d.user_nid
       and k.device_nid = d.device_nid and k.algorithm = r.algorithm and k.key_id = r.key_id)
     order by r.added_ts, r.key_id`,
  ),
};

const fallbackKeys: Copy = {
  name: 'fallback keys',
  reading: {
    columns: 'user_id, device_id, algorithm, key_id, key_json, used',
    from: 'e2e_fallback_keys_json',
    key: ['user_id', 'device_id', 'algorithm'],
  },
  prepare: withSplitKeys,
  into: inserting(
    'fallback_keys',
    `insert into fallback_keys (user_nid, device_nid, algorithm, key_id, body, signatures, is_used)
     select d.user_nid, d.device_nid, r.algorithm, r.key_id, r.body, r.signatures, ${isTrue('used')}
     from ${json(keyColumns)} ${device}`,
  ),
};

const crossSigningKeys: Copy = {
  name: 'cross-signing keys',
  reading: {
    columns: 'k.user_id, k.keytype, k.keydata',
    from: 'e2e_cross_signing_keys k',
    where: `k.stream_id = (select max(n.stream_id) from e2e_cross_signing_keys n
      where n.user_id = k.user_id and n.keytype = k.keytype)`,
    key: ['user_id', 'keytype'],
    keySql: ['k.user_id', 'k.keytype'],
  },
  users: ['user_id'],
  prepare: (rows) =>
    rows.flatMap(({ user_id: userId, keytype, keydata }) => {
      const { keys } = JSON.parse(keydata as string) as { keys?: Record<string, string> };
      const publicKey = Object.values(keys ?? {})[0];
      if (publicKey === undefined) return [];
      return [{ user_id: userId!, usage: keytype!, public_key: publicKey, key: keydata! }];
    }),
  into: inserting(
    'cross_signing_keys',
    `insert into cross_signing_keys (user_nid, usage, public_key, key)
     select u.user_nid, r.usage, r.public_key, r.key
     from ${json('user_id text, usage text, public_key text, key text')} ${user}`,
  ),
};

const keySignatures: Copy = {
  name: 'signatures of keys',
  reading: {
    columns: 'user_id, key_id, target_user_id, target_device_id, signature',
    from: 'e2e_cross_signing_signatures',
    key: ['user_id', 'target_user_id', 'target_device_id', 'key_id', 'signature'],
  },
  users: ['user_id', 'target_user_id'],
  into: inserting(
    'key_signatures',
    `insert into key_signatures (signer_nid, key_id, target_nid, target_id, signature, pos)
     select u.user_nid, r.key_id, t.user_nid, r.target_device_id, r.signature,
       case when t.user_nid <> u.user_nid then nextval('stream_position') end
     from ${json(`user_id text, key_id text, target_user_id text, target_device_id text,
       signature text`)} ${user} join users t on t.user_id = r.target_user_id`,
  ),
};

const keyBackups: Copy = {
  name: 'key backups',
  reading: {
    columns: `user_id, version, algorithm, auth_data, etag,
      (select count(*) from e2e_room_keys k where k.user_id = v.user_id and k.version = v.version)
        as key_count`,
    from: 'e2e_room_keys_versions v',
    where: 'deleted = 0',
    key: ['user_id', 'version'],
  },
  into: inserting(
    'key_backups',
    `insert into key_backups (user_nid, version, algorithm, auth_data, etag, key_count)
     select u.user_nid, r.version, r.algorithm, r.auth_data, coalesce(r.etag, 0), r.key_count
     from ${json(`user_id text, version bigint, algorithm text, auth_data text, etag bigint,
       key_count bigint`)} ${user}`,
  ),
};

const backedUpKeys: Copy = {
  name: 'backed-up keys',
  reading: {
    columns: `user_id, version, room_id, session_id, is_verified, first_message_index,
      forwarded_count, session_data`,
    from: 'e2e_room_keys',
    key: ['user_id', 'version', 'room_id', 'session_id'],
  },
  into: inserting(
    'backed_up_keys',
    `insert into backed_up_keys (user_nid, version, room_id, session_id, is_verified,
         first_message_index, forwarded_count, session_data)
     select u.user_nid, r.version, r.room_id, r.session_id, ${isTrue('is_verified')},
       coalesce(r.first_message_index, 0), coalesce(r.forwarded_count, 0), r.session_data
     from ${json(`user_id text, version bigint, room_id text, session_id text, is_verified text,
       first_message_index bigint, forwarded_count bigint, session_data text`)} ${user}
       join key_backups b on b.user_nid = u.user_nid and b.version = r.version`,
  ),
};

const inbox: Copy = {
  name: 'messages to devices',
  reading: {
    columns: 'user_id, device_id, stream_id, message_json',
    from: 'device_inbox',
    key: ['stream_id', 'user_id', 'device_id'],
  },
  prepare: (rows) =>
    rows.map(({ message_json: text, ...row }) => {
      const { type, sender, content } = JSON.parse(text as string) as Record<string, unknown>;
      return { ...row, message: JSON.stringify({ content, sender, type }) };
    }),
  into: inserting(
    'device_inbox',
    `insert into device_inbox (user_nid, device_nid, pos, message)
     select user_nid, device_nid, nextval('stream_position'), message from (
       select d.user_nid, d.device_nid, r.message
       from ${json('user_id text, device_id text, stream_id bigint, message text')} ${device}
       where not exists (select from device_inbox i where i.user_nid = d.user_nid
         and i.device_nid = d.device_nid and i.message = r.message)
       order by r.stream_id) as m`,
  ),
};

/** Keys of end-to-end encryption, and messages to devices. */
export const encryptionCopies: readonly Copy[] = [
  deviceKeys,
  oneTimeKeys,
  fallbackKeys,
  crossSigningKeys,
  keySignatures,
  keyBackups,
  backedUpKeys,
  inbox,
];
