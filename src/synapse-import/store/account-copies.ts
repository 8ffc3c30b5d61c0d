import { inserting, isTrue, json, user, device, type Copy } from './copy.ts';

const accounts: Copy = {
  name: 'accounts',
  reading: {
    columns: `name as user_id, password_hash, creation_ts, admin, is_guest, appservice_id,
      user_type, deactivated, shadow_banned, locked, suspended,
      (select 1 from erased_users e where e.user_id = name) as erased`,
    from: 'users',
    key: ['user_id'],
    keySql: ['name'],
  },
  users: ['user_id'],
  into: inserting(
    'accounts',
    `insert into accounts (user_nid, password_hash, created_ts, user_type, appservice_id, is_guest,
         is_admin, is_deactivated, is_erased, is_locked, is_suspended, is_shadow_banned)
     select u.user_nid, nullif(r.password_hash, ''), coalesce(r.creation_ts, 0) * 1000, r.user_type,
       r.appservice_id, ${isTrue('is_guest')}, ${isTrue('admin')}, ${isTrue('deactivated')},
       ${isTrue('erased')}, ${isTrue('locked')}, ${isTrue('suspended')}, ${isTrue('shadow_banned')}
     from ${json(`user_id text, password_hash text, creation_ts bigint, admin text, is_guest text,
       appservice_id text, user_type text, deactivated text, shadow_banned text, locked text,
       suspended text, erased text`)} ${user}`,
  ),
};

const consents: Copy = {
  name: 'consents',
  reading: {
    columns: 'name as user_id, consent_version, consent_ts, consent_server_notice_sent as notified',
    from: 'users',
    where: 'consent_version is not null or consent_server_notice_sent is not null',
    key: ['user_id'],
    keySql: ['name'],
  },
  into: inserting(
    'consents',
    `insert into user_consents (user_nid, accepted_version, accepted_ts, notified_version)
     select u.user_nid, r.consent_version, r.consent_ts, r.notified
     from ${json('user_id text, consent_version text, consent_ts bigint, notified text')} ${user}`,
  ),
};

const profiles: Copy = {
  name: 'profile fields',
  reading: {
    columns: 'full_user_id as user_id, displayname, avatar_url, fields',
    from: 'profiles',
    where: 'full_user_id is not null',
    key: ['user_id'],
    keySql: ['full_user_id'],
  },
  prepare: (rows) =>
    rows.flatMap(({ user_id: userId, displayname, avatar_url: avatarUrl, fields }) => {
      const more = (typeof fields === 'string' ? JSON.parse(fields) : fields) as object | null;
      const all: [string, unknown][] = [
        ['displayname', displayname],
        ['avatar_url', avatarUrl],
        ...Object.entries(more ?? {}),
      ];
      return all
        .filter(([, value]) => value !== null && value !== undefined)
        .map(([field, value]) => ({ user_id: userId!, field, value: JSON.stringify(value) }));
    }),
  into: inserting(
    'profiles',
    `insert into profile_fields (user_nid, field, value) select u.user_nid, r.field, r.value
     from ${json('user_id text, field text, value text')} ${user}`,
  ),
};

const threepids: Copy = {
  name: 'mail addresses and phone numbers',
  reading: {
    columns: 'user_id, medium, address, validated_at, added_at',
    from: 'user_threepids',
    key: ['medium', 'address'],
  },
  into: inserting(
    'threepids',
    `insert into account_threepids (user_nid, medium, address, validated_ts, added_ts)
     select u.user_nid, r.medium, r.address, r.validated_at, r.added_at from ${json(
       'user_id text, medium text, address text, validated_at bigint, added_at bigint',
     )} ${user}`,
  ),
};

const externalIds: Copy = {
  name: 'ids at identity providers',
  reading: {
    columns: 'auth_provider, external_id, user_id',
    from: 'user_external_ids',
    key: ['auth_provider', 'external_id'],
  },
  into: inserting(
    'external_ids',
    `insert into account_external_ids (auth_provider, external_id, user_nid)
     select r.auth_provider, r.external_id, u.user_nid
     from ${json('auth_provider text, external_id text, user_id text')} ${user}`,
  ),
};

const registrationTokens: Copy = {
  name: 'registration tokens',
  reading: {
    columns: 'token, uses_allowed, completed, expiry_time',
    from: 'registration_tokens',
    key: ['token'],
  },
  into: inserting(
    'registration_tokens',
    `insert into registration_tokens (token, uses_allowed, completed, expiry_ts)
     select r.token, r.uses_allowed, r.completed, r.expiry_time
     from ${json('token text, uses_allowed int, completed int, expiry_time bigint')}`,
  ),
};

const devices: Copy = {
  name: 'devices',
  reading: {
    columns: 'user_id, device_id, display_name, last_seen, ip, user_agent',
    from: 'devices',
    // Hidden ones stand for cross-signing keys.
    where: 'not coalesce(hidden, false)',
    key: ['user_id', 'device_id'],
  },
  into: inserting(
    'devices',
    `insert into devices (user_nid, device_id, display_name, created_ts, last_seen_ts, last_seen_ip,
         last_seen_user_agent)
     select u.user_nid, r.device_id, r.display_name, coalesce(r.last_seen, 0), r.last_seen, r.ip,
       r.user_agent from ${json(`user_id text, device_id text, display_name text, last_seen bigint,
       ip text, user_agent text`)} ${user} join accounts a on a.user_nid = u.user_nid`,
  ),
};

const refreshTokens: Copy = {
  name: 'refresh tokens',
  reading: {
    columns: 'id, user_id, device_id, token, next_token_id, expiry_ts, ultimate_session_expiry_ts',
    from: 'refresh_tokens',
    key: ['id'],
  },
  into: inserting(
    'refresh_tokens',
    `insert into refresh_tokens (token_hash, refresh_nid, user_nid, device_nid, next_nid,
         valid_until_ts, session_valid_until_ts) overriding system value
     select sha256(convert_to(r.token, 'UTF8')), r.id, d.user_nid, d.device_nid, r.next_token_id,
       r.expiry_ts, r.ultimate_session_expiry_ts
     from ${json(`id bigint, user_id text, device_id text, token text, next_token_id bigint,
       expiry_ts bigint, ultimate_session_expiry_ts bigint`)} ${device}`,
  ),
};

const accessTokens: Copy = {
  name: 'sessions',
  reading: {
    columns: `id, user_id, device_id, token, valid_until_ms, puppets_user_id, last_validated,
      refresh_token_id, used`,
    from: 'access_tokens',
    key: ['id'],
  },
  into: inserting(
    'access_tokens',
    // A session that acts for somebody has that user's rights, and remembers whose it is.
    `insert into access_tokens (token_hash, token_nid, user_nid, device_nid, created_ts,
         valid_until_ts, refresh_nid, is_used, last_validated_ts, puppeteer_nid)
       overriding system value
     select sha256(convert_to(r.token, 'UTF8')), r.id, coalesce(p.user_nid, u.user_nid),
       d.device_nid, coalesce(r.last_validated, 0), r.valid_until_ms, r.refresh_token_id,
       ${isTrue('used')}, r.last_validated, case when p.user_nid is not null then u.user_nid end
     from ${json(`id bigint, user_id text, device_id text, token text, valid_until_ms bigint,
       puppets_user_id text, last_validated bigint, refresh_token_id bigint, used text`)} ${user}
       left join users p on p.user_id = r.puppets_user_id
       left join devices d on d.user_nid = coalesce(p.user_nid, u.user_nid)
         and d.device_id = r.device_id
     where r.device_id is null or d.device_nid is not null`,
  ),
};

const filters: Copy = {
  name: 'filters',
  reading: {
    columns: 'full_user_id as user_id, filter_id, filter_json',
    from: 'user_filters',
    where: 'full_user_id is not null',
    key: ['user_id', 'filter_id'],
    keySql: ['full_user_id', 'filter_id'],
  },
  prepare: (rows) =>
    rows.map(({ filter_json: filter, ...row }) => ({ ...row, filter: String(filter) })),
  into: inserting(
    'filters',
    `insert into filters (user_nid, filter_nid, filter_hash, filter) overriding system value
     select u.user_nid, r.filter_id, sha256(convert_to(r.filter, 'UTF8')), r.filter
     from ${json('user_id text, filter_id bigint, filter text')} ${user}`,
  ),
};

const accountData: Copy = {
  name: 'account data',
  reading: {
    columns: 'user_id, account_data_type, content',
    from: 'account_data',
    where: "account_data_type <> 'm.push_rules'",
    key: ['user_id', 'account_data_type'],
  },
  into: inserting(
    'account_data',
    `insert into account_data (user_nid, room_nid, type, content, pos)
     select u.user_nid, 0, r.account_data_type, r.content, nextval('stream_position')
     from ${json('user_id text, account_data_type text, content text')} ${user}`,
  ),
};

/** What belongs to accounts, in an order in which each finds what it stands on. */
export const accountCopies: readonly Copy[] = [
  accounts,
  consents,
  profiles,
  threepids,
  externalIds,
  registrationTokens,
  devices,
  refreshTokens,
  accessTokens,
  filters,
  accountData,
];
