import { duration, flag, oneOf } from './kinds.ts';
import { group, inert, option, optional, section, type ValuesOf } from './option.ts';
import type { OptionLoader } from './option-loader.ts';

const time = (ms: number, text: string, doc: string) =>
  option(duration, ms, doc, { defaultText: `\`${text}\`` });

export const presenceSection = section('Presence and profiles', 'Who is there, who they are.', {
  presence: group(
    {
      enabled: option(
        oneOf(true, false, 'untracked'),
        true,
        '`false`: everybody is offline. `untracked`: only what other servers say is known.',
      ),
      include_offline_users_on_sync: option(flag, false, 'A first sync also tells who is offline.'),
      last_active_granularity: time(60_000, '1m', 'How long after an action a user is active.'),
      sync_online_timeout: time(30_000, '30s', 'How long after a sync a device is online.'),
      idle_timeout: time(300_000, '5m', 'How long after an action a user becomes unavailable.'),
      ...inert({ presence_router: 'a plug-in written in Python' }),
    },
    'Who is online.',
  ),
  use_presence: optional(flag, 'The old form of `presence.enabled`.'),
  require_auth_for_profile_requests: option(flag, false, 'Profiles need an access token.'),
  limit_profile_requests_to_users_who_share_rooms: option(
    flag,
    false,
    'Profiles are for those who share a room.',
  ),
  allow_profile_lookup_over_federation: option(flag, true, 'Other servers may ask for profiles.'),
  ...inert({
    exclude_rooms_from_presence: 'rooms that do not spread presence',
    include_profile_data_on_invite: 'invites carry name and picture',
    allow_per_room_profiles: 'another name in a room',
    max_avatar_size: 'largest picture',
    allowed_avatar_mimetypes: 'allowed types of pictures',
  }),
});

/** What presence is configured by. */
export function readPresence(
  loader: OptionLoader,
  values: ValuesOf<typeof presenceSection.options>,
) {
  const { presence } = values;
  const enabled = values.use_presence === false ? false : presence.enabled;
  if (presence.idle_timeout <= presence.last_active_granularity) {
    loader.at('presence', 'idle_timeout').problem('must be longer than last_active_granularity');
  }
  return {
    isEnabled: enabled !== false,
    isTracked: enabled === true,
    includeOfflineOnInitialSync: presence.include_offline_users_on_sync,
    activeMs: presence.last_active_granularity,
    syncOnlineMs: presence.sync_online_timeout,
    idleMs: presence.idle_timeout,
  };
}
