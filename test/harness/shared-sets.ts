import { isDeepStrictEqual } from 'node:util';
import { parse } from 'yaml';

/**
 * The configurations of worker sets that many files share: each is what its files ask for, together.
 * What would change an answer that files with the usual configuration look at stands apart.
 */
export const sharedSets = {
  usual: `
public_baseurl: https://matrix.test.example/
admin_contact: mailto:admin@test.example
policy_server_public_keys: {ed25519: 6yhHGKhCiXTSEN2ksjV7kX/N6rBQZ3Xb+M7LlC6NS+s}
allow_guest_access: true
login_via_existing_session: {enabled: true, require_ui_auth: true}
allow_public_rooms_without_auth: true
enable_group_creation: true
group_creation_prefix: x/
turn_uris: ['turn:turn.example.org?transport=udp']
turn_shared_secret: secret
turn_user_lifetime: 2h
turn_allow_guests: false
matrix_rtc:
  transports:
    - {type: livekit, livekit_service_url: https://livekit.example.org}
ip_range_whitelist: [127.0.0.1]
push: {group_unread_count_by_room: false}
rc_reports: {per_second: 0.01, burst_count: 5}
max_upload_size: 2000000
max_pending_media_uploads: 2
max_image_pixels: 1000000
media_upload_limits: [{time_period: 1h, max_size: 20M}]
url_preview_enabled: true
url_preview_ip_range_blacklist: [127.0.0.0/8]
url_preview_ip_range_whitelist: [127.0.0.1]
url_preview_url_blacklist: [{path: /secret/*}]
url_preview_accept_language: [fr, en;q=0.5]
max_spider_size: 100K
`,
  unusual: `
public_baseurl: https://matrix.test.example/
ip_range_whitelist: [127.0.0.1]
experimental_features:
  msc3881_enabled: true
  msc4108_enabled: true
  msc4155_enabled: true
  msc4306_enabled: true
  msc4354_enabled: true
  msc4388_mode: authenticated
account_validity: {enabled: true, period: 1d}
enable_authenticated_media: false
dynamic_thumbnails: true
enable_search: false
url_preview_enabled: false
`,
};

type SharedSet = keyof typeof sharedSets;

const isMapping = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Whether all that is wanted is there, with the same value; mappings may have more. */
function holds(there: unknown, wanted: unknown): boolean {
  if (!isMapping(wanted)) return isDeepStrictEqual(there, wanted);
  if (!isMapping(there)) return false;
  return Object.entries(wanted).every(([name, value]) => holds(there[name], value));
}

/** The set that has all options of a configuration (YAML); null: none. */
export function sharedSetWith(options: string): SharedSet | null {
  const wanted: unknown = parse(options) ?? {};
  const names = Object.keys(sharedSets) as SharedSet[];
  return names.find((name) => holds(parse(sharedSets[name]), wanted)) ?? null;
}
