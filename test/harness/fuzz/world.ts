import fc from 'fast-check';
import { registerAdmin } from '../admin.ts';
import { TestClient, uniqueName } from '../client.ts';
import { pathOf, upload } from '../media.ts';
import { oddText } from './odd-values.ts';
import type { Known } from './schema-values.ts';

export const serverName = 'test.example';

/** Users, a room and other things that requests name. They do not outlive a round of requests. */
export interface World {
  /** Access tokens by the kind of requester. */
  tokens: Record<'none' | 'bad' | 'user' | 'other' | 'guest' | 'admin', string | null>;
  known: Known;
  /** What there is for certain. */
  ids: Record<'user' | 'other' | 'device' | 'room' | 'event' | 'alias' | 'mxc', string>;
}

async function registerGuest(url: string): Promise<string> {
  const path = '/_matrix/client/v3/register?kind=guest';
  return (await new TestClient(url).ok('POST', path, {}))['access_token'] as string;
}

/** What ids of one user are worth to requests. */
async function furnish(user: TestClient, other: TestClient) {
  const v3 = '/_matrix/client/v3';
  const roomId = await user.createRoom({
    preset: 'public_chat',
    visibility: 'public',
    room_alias_name: uniqueName('fuzz'),
    invite: [other.userId],
  });
  await other.join(roomId);
  const eventId = await user.send(roomId, 'hello');
  const room = user.room(roomId);
  const reply = { body: 'x', 'm.relates_to': { rel_type: 'm.thread', event_id: eventId } };
  await other.ok('PUT', `${room}/send/m.room.message/t`, reply);
  await other.ok('PUT', `${room}/send/m.reaction/r`, {
    'm.relates_to': { rel_type: 'm.annotation', event_id: eventId, key: 'x' },
  });
  const [mxc, filter, backup, group] = [
    await upload(user, Buffer.from('<svg/>'), 'image/svg+xml', 'x.svg'),
    await user.ok('POST', `${v3}/user/${user.userId}/filter`, { room: { timeline: { limit: 3 } } }),
    await user.ok('POST', `${v3}/room_keys/version`, {
      algorithm: 'm.megolm_backup.v1.curve25519-aes-sha2',
      auth_data: { public_key: 'abcdefg' },
    }),
    await user.request('POST', `${v3}/create_group`, { localpart: uniqueName('group') }),
  ];
  const sync = await user.sync();
  const { end } = await user.ok('GET', `${room}/messages?dir=b&limit=1`);
  return {
    roomId,
    eventId,
    mxc,
    alias: (await user.ok('GET', `${room}/aliases`))['aliases'][0] as string,
    filterId: filter['filter_id'] as string,
    version: backup['version'] as string,
    groupId: String(group.body['group_id'] ?? '+none:test.example'),
    positions: [sync['next_batch'] as string, String(end)],
  };
}

const eventTypes = [
  'm.room.message',
  'm.room.member',
  'm.room.name',
  'm.room.power_levels',
  'm.room.create',
  'm.room.encryption',
  'm.room.server_acl',
  'm.room.join_rules',
  'm.room.history_visibility',
  'm.room.canonical_alias',
  'm.room.tombstone',
  'm.room.redaction',
  'm.space.child',
  'm.reaction',
  'm.direct',
  'm.fully_read',
  'm.push_rules',
  'org.example.custom',
];

type Named = [pattern: RegExp, values: readonly string[]][];

/** Plausible values for whatever has a name that fits a pattern; the first that fits counts. */
function chooser(named: Named): Known {
  return (name) => {
    const values = named.find(([pattern]) => pattern.test(name))?.[1];
    return values ? fc.constantFrom(...values) : fc.oneof(fc.string({ maxLength: 8 }), oddText);
  };
}

/** Names of parameters, members of bodies and keys of maps. */
function namesOf(user: TestClient, other: TestClient, made: Awaited<ReturnType<typeof furnish>>) {
  const [mediaServer, mediaId] = pathOf(made.mxc).split('/') as [string, string];
  const { userId } = user;
  const users = [
    userId,
    userId,
    userId,
    other.userId,
    other.userId,
    '@nobody:test.example',
    '@away:other.example',
  ];
  const { roomId, eventId } = made;
  const rooms = [
    roomId,
    roomId,
    roomId,
    roomId,
    '!none:test.example',
    '!away:other.example',
    '!11',
  ];
  const events = [eventId, eventId, eventId, '$none', '$none:test.example'];
  const named: Named = [
    [/^(room_?id_?or_?alias)$/i, [made.roomId, made.alias, '#none:test.example']],
    [/alias/i, [made.alias, made.alias.split(':')[0]!.slice(1), '#none:test.example']],
    [/group/i, [made.groupId, '+none:test.example', '+none:other.example']],
    [/room/i, rooms],
    [/event_?type|^type$|rel_?type|^types$/i, [...eventTypes, 'm.thread', 'm.annotation']],
    [/state_?key/i, ['', user.userId, other.userId, 'x']],
    [/event|fully_read|m\.read/i, events],
    [/sender|user|^target$|invite|mxid|sender|members/i, users],
    [/device/i, [user.deviceId, other.deviceId, 'NONE', '*']],
    [/key_?id|algorithm/i, ['ed25519:ABC', 'curve25519:ABC', 'signed_curve25519:A', 'ed25519']],
    [/filter/i, [made.filterId, '0', '999', '{"room":{"timeline":{"limit":2}}}', '{}', '{"a":']],
    [/^version$|room_?version/i, [made.version, '11', '12', '1', 'nothing']],
    [/since|from|^to$|batch|^pos$|token/i, [...made.positions, 's0', 't0', 'x', '0']],
    [/^ts$|before_ts|max_depth|limit|width|height|size/i, ['0', '1', '10', '-1', '1700000000000']],
    [/server/i, [mediaServer, 'other.example', 'localhost:1']],
    [/media_?id/i, [mediaId, 'none']],
    [/^dir$/i, ['f', 'b', 'x']],
    [/timeout/i, ['0', '10', '-1', 'x']],
    [/key_?name/i, ['displayname', 'avatar_url', 'm.tz', 'org.example.custom', 'm.x']],
    [/avatar|url|mxc/i, [made.mxc, 'mxc://other.example/x', 'https://127.0.0.1:1/', 'x']],
    [/kind/i, ['override', 'underride', 'content', 'room', 'sender', 'guest', 'user']],
    [/rule/i, ['.m.rule.master', '.m.rule.contains_user_name', 'mine', '.x']],
    [/receipt/i, ['m.read', 'm.read.private', 'm.fully_read', 'm.x']],
    [/auth_?type/i, ['m.login.dummy', 'm.login.terms', 'm.login.recaptcha', 'm.login.x']],
    [/preset/i, ['public_chat', 'private_chat', 'trusted_private_chat', 'x']],
    [/visibility/i, ['public', 'private', 'x']],
    [/presence/i, ['online', 'offline', 'unavailable', 'busy', 'x']],
    [/password/i, [`password of ${user.userId.slice(1).split(':')[0]}`, 'x']],
    [/medium/i, ['email', 'msisdn', 'x']],
    [/address|email/i, ['a@test.example', '+447911123456', 'x']],
  ];
  return named;
}

/** Registers users and makes things of theirs. */
export async function createWorld(url: string): Promise<World> {
  const [user, other, admin] = [
    await TestClient.register(url),
    await TestClient.register(url),
    await registerAdmin(url),
  ];
  const made = await furnish(user, other);
  return {
    tokens: {
      none: null,
      bad: 'syt_bad',
      user: user.token,
      other: other.token,
      guest: await registerGuest(url),
      admin: admin.token,
    },
    known: chooser(namesOf(user, other, made)),
    ids: {
      user: user.userId,
      other: other.userId,
      device: user.deviceId,
      room: made.roomId,
      event: made.eventId,
      alias: made.alias,
      mxc: made.mxc,
    },
  };
}
