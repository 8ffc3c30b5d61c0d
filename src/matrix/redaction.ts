import { isJsonObject, type JsonObject } from './pdu.ts';
import type { RoomVersion } from './room-versions.ts';

const powerLevelKeys = [
  'ban',
  'events',
  'events_default',
  'kick',
  'redact',
  'state_default',
  'users',
  'users_default',
];

function keysOf(version: RoomVersion, type: string): readonly string[] {
  switch (type) {
    case 'm.room.member':
      return version.restrictedJoinsRedaction
        ? ['membership', 'join_authorised_via_users_server']
        : ['membership'];
    case 'm.room.create':
      return ['creator'];
    case 'm.room.join_rules':
      return version.restrictedJoins ? ['join_rule', 'allow'] : ['join_rule'];
    case 'm.room.power_levels':
      return version.updatedRedaction ? [...powerLevelKeys, 'invite'] : powerLevelKeys;
    case 'm.room.history_visibility':
      return ['history_visibility'];
    case 'm.room.aliases':
      return version.aliasEventAuth ? ['aliases'] : [];
    case 'm.room.redaction':
      return version.updatedRedaction ? ['redacts'] : [];
    default:
      return [];
  }
}

/** What a redaction leaves of an event's content. Source: "Redactions" of each room version. */
export function redactContent(version: RoomVersion, type: string, content: JsonObject): JsonObject {
  if (version.updatedRedaction && type === 'm.room.create') return content;
  const kept: JsonObject = {};
  for (const key of keysOf(version, type)) {
    if (content[key] !== undefined) kept[key] = content[key];
  }
  const invite = content['third_party_invite'];
  if (version.updatedRedaction && type === 'm.room.member' && isJsonObject(invite)) {
    // The object itself stays even when nothing in it does: event ids depend on it.
    kept['third_party_invite'] = invite['signed'] === undefined ? {} : { signed: invite['signed'] };
  }
  return kept;
}
