import { flag, list, mapping, oneOf, text } from './kinds.ts';
import type { OptionReader } from './reader.ts';

const presetsEncrypted: Record<string, readonly string[]> = {
  off: [],
  none: [],
  invite: ['private_chat', 'trusted_private_chat'],
  all: ['private_chat', 'trusted_private_chat', 'public_chat'],
};

function readRules(reader: OptionReader, name: string, byDefault: 'allow' | 'deny') {
  const rules = reader.take(name, list(mapping), null);
  if (rules === null) {
    return [{ userId: '*', alias: '*', roomId: '*', action: byDefault }];
  }
  return rules.map((fields) => ({
    userId: reader.member(name, fields, 'user_id', text, '*'),
    alias: reader.member(name, fields, 'alias', text, '*'),
    roomId: reader.member(name, fields, 'room_id', text, '*'),
    action: reader.member(name, fields, 'action', oneOf('allow', 'deny'), 'allow'),
  }));
}

/** What rooms and the directory are configured by. */
export function readRooms(reader: OptionReader, serverName: string) {
  const encrypted = reader.take(
    'encryption_enabled_by_default_for_room_type',
    oneOf('off', 'none', 'invite', 'all', false),
    'off',
  );
  return {
    serverName,
    // YAML reads an unquoted version as a number.
    defaultRoomVersion: reader.take('default_room_version', { ...text, read: String }, '12'),
    encryptedPresets: presetsEncrypted[encrypted === false ? 'off' : encrypted]!,
    publicRoomsWithoutAuth: reader.take('allow_public_rooms_without_auth', flag, false),
    isRoomListSearchEnabled: reader.take('enable_room_list_search', flag, true),
    aliasCreationRules: readRules(reader, 'alias_creation_rules', 'allow'),
    publicationRules: readRules(reader, 'room_list_publication_rules', 'allow'),
    forgetsRoomsOnLeave: reader.take('forget_rooms_on_leave', flag, false),
  };
}
