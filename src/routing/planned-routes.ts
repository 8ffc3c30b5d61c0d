import type { BalanceKey, TrafficGroup } from '../http/endpoint.ts';

/** Paths that are routed whether or not an endpoint is declared for them. */
export interface PlannedRoute {
  /** Null: every method that no other row names. */
  method: string | null;
  /** With `:name` for a segment and `*` at the end for anything, also nothing. */
  path: string;
  group: TrafficGroup;
  balance: BalanceKey;
  note: string;
}

const all = ['v3', 'r0', 'api/v1', 'unstable'];
const syncPrefixes = ['v3', 'r0', 'v2_alpha'];
const oldSyncPrefixes = ['v3', 'r0', 'api/v1', 'v2_alpha'];

interface Patterns {
  group: TrafficGroup;
  balance: BalanceKey;
  note?: string;
  method?: string;
  paths: string[];
}

const client = (prefixes: readonly string[], ...paths: string[]) =>
  paths.flatMap((path) => prefixes.map((prefix) => `/_matrix/client/${prefix}${path}`));
const federation = (version: string, ...names: string[]) =>
  names.map((name) => `/_matrix/federation/${version}/${name}`);

const withGroups = 'Communities, which old clients ask for.';

const patterns: readonly Patterns[] = [
  {
    group: 'sync',
    balance: 'user',
    paths: [...client(syncPrefixes, '/sync'), ...client(oldSyncPrefixes, '/events')],
  },
  {
    group: 'sync',
    balance: 'user',
    note: 'With sliding sync (MSC4186).',
    paths: ['/_matrix/client/unstable/org.matrix.simplified_msc3575/sync'],
  },
  {
    group: 'initial_sync',
    balance: 'user',
    paths: client(oldSyncPrefixes, '/initialSync', '/rooms/:roomId/initialSync'),
  },
  {
    group: 'federation',
    balance: 'origin',
    note: 'With federation.',
    paths: [
      ...federation(
        'v1',
        'event/*',
        'state/*',
        'state_ids/*',
        'backfill/*',
        'get_missing_events/*',
        'publicRooms*',
        'query/*',
        'make_join/*',
        'make_leave/*',
        'make_knock/*',
        'send_join/*',
        'send_leave/*',
        'send_knock/*',
        'invite/*',
        'query_auth/*',
        'event_auth/*',
        'timestamp_to_event/*',
        'hierarchy/*',
        'exchange_third_party_invite/*',
        'user/devices/*',
        'user/keys/*',
        'openid/userinfo',
        'version',
      ),
      ...federation('v2', 'send_join/*', 'send_leave/*', 'invite/*'),
      '/_matrix/key/v2/query*',
      '/_matrix/key/v2/server*',
    ],
  },
  {
    group: 'federation_inbound',
    balance: 'origin',
    note: 'With federation.',
    paths: federation('v1', 'send/*'),
  },
  {
    group: 'federation',
    balance: 'none',
    note: withGroups,
    paths: federation('v1', 'get_groups_publicised'),
  },
  {
    group: 'federation',
    balance: 'none',
    method: 'GET',
    note: withGroups,
    paths: federation('v1', 'groups/*'),
  },
  { group: 'main', balance: 'none', note: withGroups, paths: federation('v1', 'groups/*') },
  {
    group: 'client',
    balance: 'none',
    paths: [
      ...client(all, '/publicRooms', '/account/3pid', '/devices', '/voip/turnServer'),
      ...client(all, '/keys/query', '/keys/changes', '/keys/claim'),
      '/_matrix/client/versions',
    ],
  },
  {
    group: 'client',
    balance: 'room',
    paths: [
      ...client(all, '/rooms/:roomId/joined_members', '/rooms/:roomId/members'),
      ...client(all, '/rooms/:roomId/state', '/rooms/:roomId/context/*'),
    ],
  },
  {
    group: 'client',
    balance: 'none',
    note: withGroups,
    paths: client(all, '/joined_groups', '/publicised_groups', '/publicised_groups/*'),
  },
  {
    group: 'registration_login',
    balance: 'none',
    paths: [...client(all, '/login', '/register'), ...client(all, '/auth/:stage/fallback/web')],
  },
  {
    group: 'event_sending',
    balance: 'room',
    paths: [
      ...client(all, '/rooms/:roomId/redact*', '/rooms/:roomId/send*', '/rooms/:roomId/state/*'),
      ...client(all, '/rooms/:roomId/join', '/rooms/:roomId/invite', '/rooms/:roomId/leave'),
      ...client(all, '/rooms/:roomId/ban', '/rooms/:roomId/unban', '/rooms/:roomId/kick'),
      ...client(all, '/join/:roomId', '/join/:roomId/*'),
    ],
  },
  { group: 'event_sending', balance: 'user', paths: client(all, '/profile/*') },
  { group: 'pagination', balance: 'room', paths: client(all, '/rooms/:roomId/messages') },
  {
    group: 'sso',
    balance: 'none',
    paths: [
      ...client(all, '/login/sso/redirect*', '/login/cas/ticket'),
      '/_synapse/client/pick_idp',
      '/_synapse/client/pick_username*',
      '/_synapse/client/new_user_consent',
      '/_synapse/client/sso_register',
      '/_synapse/client/oidc/callback',
    ],
  },
  {
    group: 'sso',
    balance: 'none',
    note: 'With SAML.',
    paths: ['/_synapse/client/saml2/authn_response'],
  },
  {
    group: 'media',
    balance: 'none',
    note: 'With media.',
    paths: [
      '/_matrix/media/*',
      '/_matrix/client/v1/media/*',
      '/_matrix/federation/v1/media/*',
      '/_matrix/client/unstable/org.matrix.msc3916/media/*',
    ],
  },
  {
    group: 'media_admin',
    balance: 'none',
    note: 'With media.',
    paths: [
      '/_synapse/admin/v1/purge_media_cache',
      '/_synapse/admin/v1/room/:roomId/media*',
      '/_synapse/admin/v1/user/:userId/media*',
      '/_synapse/admin/v1/media/*',
      '/_synapse/admin/v1/quarantine_media/*',
    ],
  },
  {
    group: 'user_directory',
    balance: 'none',
    note: 'With the user directory.',
    paths: client(all, '/user_directory/search'),
  },
  {
    group: 'key_upload',
    balance: 'user',
    note: 'With end-to-end encryption.',
    paths: client(all, '/keys/upload*'),
  },
  { group: 'presence', balance: 'user', paths: client(all, '/presence/:userId/status*') },
  {
    group: 'main',
    balance: 'none',
    note: 'Every process answers for itself.',
    paths: ['/health', '/metrics', '/_synapse/metrics'],
  },
];

/** What workers were given in Synapse's worker manual, and what is about to be declared. */
export const plannedRoutes: readonly PlannedRoute[] = patterns.flatMap(
  ({ paths, method = null, note = '', group, balance }) =>
    paths.map((path) => ({ method, path, group, balance, note })),
);
