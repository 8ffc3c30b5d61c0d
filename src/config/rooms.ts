import { defaultRoomVersion, knownRoomVersions } from '../matrix/room-versions.ts';
import { duration, flag, kind, list, oneOf, positive, text } from './kinds.ts';
import {
  defaultsOf,
  group,
  inert,
  mappingOf,
  option,
  optional,
  section,
  type ValuesOf,
} from './option.ts';
import type { OptionLoader } from './option-loader.ts';
import { readRetention, retention } from './retention.ts';

const rule = {
  user_id: option(text, '*', 'Pattern of who acts.'),
  alias: option(text, '*', 'Pattern of the alias.'),
  room_id: option(text, '*', 'Pattern of the room.'),
  action: option(oneOf('allow', 'deny'), 'allow', 'What happens.'),
};
type Rule = ValuesOf<typeof rule>;

const rules = (doc: string) =>
  option(
    list(mappingOf(rule)),
    [defaultsOf(rule)],
    `${doc} The first rule that matches decides; when none matches, it is not allowed. In patterns ` +
      '`*` stands for any text and `?` for one character.',
    {
      members: rule,
      defaultText: 'everybody everything',
      example: "\n  - user_id: '@*:example.org'\n    action: allow",
    },
  );

// YAML reads an unquoted version as a number.
const roomVersion = kind(`one of ${knownRoomVersions.join(', ')}`, (value) =>
  knownRoomVersions.find((version) => version === String(value)),
);

export const roomsSection = section('Rooms', 'What rooms are like and who finds them.', {
  default_room_version: option(roomVersion, defaultRoomVersion, 'The version of new rooms.'),
  encryption_enabled_by_default_for_room_type: option(
    oneOf('off', 'none', 'invite', 'all', false),
    'off',
    'Which new rooms begin encrypted: none (`off`), those joined by invite, or all.',
  ),
  allow_public_rooms_without_auth: option(
    flag,
    false,
    'The list of public rooms can be read without an account.',
  ),
  allow_public_rooms_over_federation: option(
    flag,
    false,
    'Other servers may read the list of public rooms.',
  ),
  enable_room_list_search: option(flag, true, 'The list of public rooms can be searched.'),
  alias_creation_rules: rules('Who may give which room which alias.'),
  room_list_publication_rules: rules('Who may put which room into the public list.'),
  forget_rooms_on_leave: option(flag, false, 'Leaving a room also forgets it.'),
  limit_remote_rooms: group(
    {
      enabled: option(flag, false, 'Whether there is such a limit.'),
      complexity: option(positive, 1, 'The limit: entries of the current state, in units of 500.'),
      complexity_error: option(
        text,
        'Your homeserver is unable to join rooms this large or complex. Please speak to your server ' +
          'administrator, or upgrade your instance to join this room.',
        'What users are told.',
        { defaultText: 'a text' },
      ),
      admins_can_join: option(flag, false, 'Admins may join all the same.'),
    },
    'Rooms of other servers that are too large to be joined. Servers are asked how large they are; ' +
      'where none says, the room is joined, and left again.',
  ),
  forgotten_room_retention_period: optional(
    duration,
    'Rooms that every user of this server has forgotten are deleted so long after that.',
    { example: '28d' },
  ),
  redaction_retention_period: optional(
    duration,
    'Accepted for other servers’ sake: what is redacted is deleted from the database at once.',
    { defaultText: '0' },
  ),
  retention,
  max_event_delay_duration: option(
    duration,
    24 * 60 * 60 * 1000,
    'How long the sending of an event may be delayed at most (MSC4140); 0: not at all.',
    { defaultText: '`24h`' },
  ),
  ...inert({
    filter_timeline_limit: 'the most events of a timeline in a filter',
    block_non_admin_invites: 'only admins may invite',
    dummy_events_threshold: 'forward extremities before a dummy event is sent',
    require_membership_for_aliases: 'an alias needs membership of the room',
    room_prejoin_state: 'state that invites show',
    default_power_level_content_override: 'power levels by preset',
    exclude_rooms_from_sync: 'rooms that no sync shows',
    auto_accept_invites: 'accept invites for users',
    stats: 'statistics',
  }),
});

const presetsEncrypted: Record<string, readonly string[]> = {
  invite: ['private_chat', 'trusted_private_chat'],
  all: ['private_chat', 'trusted_private_chat', 'public_chat'],
};

const rulesOf = (given: readonly Rule[]) =>
  given.map(({ user_id: userId, alias, room_id: roomId, action }) => ({
    userId,
    alias,
    roomId,
    action,
  }));

/** What rooms and the directory are configured by. */
export function readRooms(
  loader: OptionLoader,
  values: ValuesOf<typeof roomsSection.options>,
  serverName: string,
) {
  const { limit_remote_rooms: limit } = values;
  return {
    serverName,
    remoteRoomLimit: limit.enabled
      ? {
          complexityMax: limit.complexity,
          message: limit.complexity_error,
          adminsMayJoin: limit.admins_can_join,
        }
      : null,
    defaultRoomVersion: values.default_room_version,
    encryptedPresets:
      presetsEncrypted[String(values.encryption_enabled_by_default_for_room_type)] ?? [],
    publicRoomsWithoutAuth: values.allow_public_rooms_without_auth,
    publicRoomsForServers: values.allow_public_rooms_over_federation,
    isRoomListSearchEnabled: values.enable_room_list_search,
    aliasCreationRules: rulesOf(values.alias_creation_rules),
    publicationRules: rulesOf(values.room_list_publication_rules),
    forgetsRoomsOnLeave: values.forget_rooms_on_leave,
    forgottenKeptMs: values.forgotten_room_retention_period,
    retention: readRetention(loader, values.retention),
    delayMsMax: values.max_event_delay_duration,
  };
}
