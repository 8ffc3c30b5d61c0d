import type { World } from './world.ts';

// Whole bodies for endpoints whose schema leaves them free: what they read in them is checked by
// their own code.

/** Contents of events that the server reads, by type. */
export function contentExamples({ ids }: World): [type: string, content: unknown][] {
  const { user, other, room, event, alias, mxc } = ids;
  return [
    ['m.room.power_levels', { users: { [user]: 100, [other]: 50 }, events: { 'm.x': 5 }, ban: 50 }],
    ['m.room.power_levels', { users_default: 0, notifications: { room: 50 }, invite: 0, kick: 1 }],
    ['m.room.member', { membership: 'join', displayname: 'x', avatar_url: mxc }],
    ['m.room.member', { membership: 'invite', third_party_invite: { signed: { mxid: other } } }],
    ['m.room.member', { membership: 'ban', reason: 'x' }],
    ['m.room.join_rules', { join_rule: 'restricted', allow: [{ type: 'm.x', room_id: room }] }],
    ['m.room.history_visibility', { history_visibility: 'invited' }],
    ['m.room.canonical_alias', { alias, alt_aliases: [alias] }],
    ['m.room.server_acl', { allow: ['*'], deny: ['*.evil'], allow_ip_literals: false }],
    ['m.room.name', { name: 'x' }],
    ['m.room.avatar', { url: mxc }],
    ['m.room.topic', { topic: 'x', 'm.topic': { 'm.text': [{ body: 'x' }] } }],
    ['m.room.create', { room_version: '11', 'm.federate': false }],
    ['m.room.guest_access', { guest_access: 'can_join' }],
    ['m.room.encryption', { algorithm: 'm.megolm.v1.aes-sha2', rotation_period_ms: 1 }],
    ['m.room.pinned_events', { pinned: [event] }],
    ['m.room.third_party_invite', { display_name: 'x', key_validity_url: 'x', public_key: 'x' }],
    ['m.space.child', { via: ['test.example'], order: 'x', suggested: true }],
    ['m.space.parent', { via: ['test.example'], canonical: true }],
    ['m.room.retention', { max_lifetime: 1, min_lifetime: 2 }],
    ['m.room.redaction', { redacts: event, reason: 'x' }],
    ['m.reaction', { 'm.relates_to': { rel_type: 'm.annotation', event_id: event, key: 'x' } }],
    [
      'm.room.message',
      {
        msgtype: 'm.text',
        body: user,
        'm.mentions': { user_ids: [user, other], room: true },
        'm.relates_to': {
          rel_type: 'm.thread',
          event_id: event,
          'm.in_reply_to': { event_id: event },
        },
      },
    ],
    [
      'm.room.message',
      {
        body: 'x',
        'm.new_content': { body: 'y' },
        'm.relates_to': { rel_type: 'm.replace', event_id: event },
      },
    ],
    ['m.room.encrypted', { algorithm: 'm.megolm.v1.aes-sha2', ciphertext: 'x', session_id: 'x' }],
    ['m.poll.response', { 'm.relates_to': { rel_type: 'm.reference', event_id: event } }],
    ['m.call.member', { application: 'm.call', memberships: [{}] }],
  ];
}

const roomFilter = (ids: World['ids']) => ({
  rooms: [ids.room],
  not_rooms: ['!x:y'],
  include_leave: true,
  timeline: {
    limit: 2,
    types: ['m.room.*', 'm.*'],
    not_types: ['*'],
    senders: [ids.user],
    contains_url: false,
    lazy_load_members: true,
    unread_thread_notifications: true,
    related_by_rel_types: ['m.thread'],
    related_by_senders: [ids.user],
  },
  state: { lazy_load_members: true, include_redundant_members: true },
  ephemeral: { types: ['m.*'] },
  account_data: { not_types: ['m.x'] },
});

/** Bodies of other endpoints, by operation. */
export function bodyExamples({ ids }: World): Record<string, unknown[]> {
  const { user, other, room, event, device } = ids;
  const signatures = { [user]: { [`ed25519:${device}`]: 'c2lnbmF0dXJl' } };
  const identifier = { type: 'm.id.user', user };
  const uia = { type: 'm.login.password', identifier, password: 'x', session: 'x' };
  const publicKey = 'oj8qCzVmyxsKLCqEMqOsoTcVKuJHQWxGwbRZTFV3pQI';
  const crossKey = (usage: string) => ({
    user_id: user,
    usage: [usage],
    keys: { [`ed25519:${publicKey}`]: publicKey },
    signatures,
  });
  const deviceKeys = {
    user_id: user,
    device_id: device,
    algorithms: ['m.olm.v1.curve25519-aes-sha2'],
    keys: { [`ed25519:${device}`]: publicKey, [`curve25519:${device}`]: publicKey },
    signatures,
  };
  const oneTime = { 'signed_curve25519:AAA': { key: publicKey, signatures } };
  const backup = {
    first_message_index: 0,
    forwarded_count: 0,
    is_verified: false,
    session_data: { ciphertext: 'x' },
  };
  return {
    defineFilter: [
      { event_fields: ['type', 'content.body'], event_format: 'client', room: roomFilter(ids) },
      { presence: { types: ['m.presence'], senders: [other] }, event_format: 'federation' },
    ],
    setPushRule: [
      { actions: ['notify', { set_tweak: 'sound', value: 'default' }], pattern: 'a*b?[c' },
      {
        actions: [],
        conditions: [
          { kind: 'event_match', key: 'content.body', pattern: '*' },
          { kind: 'room_member_count', is: '>=2' },
          { kind: 'event_property_contains', key: 'content.a\\.b', value: null },
          { kind: 'sender_notification_permission', key: 'room' },
        ],
      },
    ],
    login: [
      { type: 'm.login.password', identifier, password: 'x', refresh_token: true },
      { type: 'm.login.token', token: 'x', device_id: device },
      { type: 'm.login.password', identifier: { type: 'm.id.phone', country: 'GB', phone: '1' } },
    ],
    createRoom: [
      {
        preset: 'trusted_private_chat',
        name: 'x',
        topic: 'x',
        room_version: '10',
        invite: [other],
        invite_3pid: [],
        is_direct: true,
        creation_content: { type: 'm.space', 'm.federate': true, additional_creators: [other] },
        power_level_content_override: { users: { [user]: 100 }, events: {} },
        initial_state: contentExamples({ ids } as World).map(([type, content]) => ({
          type,
          content,
          state_key: '',
        })),
      },
    ],
    uploadKeys: [
      { device_keys: deviceKeys, one_time_keys: oneTime, fallback_keys: oneTime },
      { one_time_keys: { 'curve25519:A': publicKey } },
    ],
    claimKeys: [{ timeout: 10, one_time_keys: { [user]: { [device]: 'signed_curve25519' } } }],
    queryKeys: [{ timeout: 10, device_keys: { [user]: [], [other]: [device] } }],
    uploadCrossSigningKeys: [
      {
        master_key: crossKey('master'),
        self_signing_key: crossKey('self_signing'),
        user_signing_key: crossKey('user_signing'),
        auth: uia,
      },
    ],
    uploadCrossSigningSignatures: [
      { [user]: { [device]: deviceKeys, [publicKey]: crossKey('master') } },
    ],
    sendToDevice: [{ messages: { [user]: { '*': { a: 1 } }, [other]: { [device]: { b: 2 } } } }],
    search: [
      {
        search_categories: {
          room_events: {
            search_term: 'hello x',
            keys: ['content.body', 'content.name'],
            filter: { limit: 3, rooms: [room], senders: [user], contains_url: false },
            order_by: 'recent',
            event_context: { before_limit: 1, after_limit: 1, include_profile: true },
            include_state: true,
            groupings: { group_by: [{ key: 'room_id' }, { key: 'sender' }] },
          },
        },
      },
    ],
    slidingSync: [
      {
        conn_id: 'x',
        lists: {
          a: {
            ranges: [[0, 10]],
            timeline_limit: 2,
            required_state: [
              ['m.room.member', '$LAZY'],
              ['*', '*'],
            ],
            filters: { is_dm: false, spaces: [room], room_types: [null, 'm.space'], tags: ['x'] },
          },
        },
        room_subscriptions: { [room]: { timeline_limit: 1, required_state: [['m.x', '$ME']] } },
        extensions: {
          to_device: { enabled: true, limit: 2, since: 'x' },
          e2ee: { enabled: true },
          account_data: { enabled: true, lists: ['a'], rooms: ['*'] },
          typing: { enabled: true },
          receipts: { enabled: true, rooms: [room] },
        },
      },
    ],
    putRoomKeys: [{ rooms: { [room]: { sessions: { a: backup } } } }],
    putRoomKeysByRoomId: [{ sessions: { a: backup } }],
    putRoomKeyBySessionId: [backup],
    postReceipt: [{ thread_id: 'main' }, { thread_id: event }],
    setReadMarker: [{ 'm.fully_read': event, 'm.read': event, 'm.read.private': event }],
    setProfileField: [{ displayname: 'x' }, { avatar_url: ids.mxc }, { 'm.tz': 'Europe/Oslo' }],
    setAccountData: [{ [user]: [room] }, { ignored_users: { [other]: {} } }, { global: {} }],
    putDehydratedDevice: [
      {
        device_id: 'DEHYDRATED',
        device_data: { algorithm: 'x' },
        device_keys: { ...deviceKeys, device_id: 'DEHYDRATED' },
        one_time_keys: oneTime,
      },
    ],
  };
}
