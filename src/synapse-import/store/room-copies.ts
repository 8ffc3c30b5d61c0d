import { statement } from '../../database/statement.ts';
import { inserting, json, room, user, type Copy } from './copy.ts';

const aliases: Copy = {
  name: 'aliases',
  reading: { columns: 'room_alias, room_id, creator', from: 'room_aliases', key: ['room_alias'] },
  users: ['creator'],
  into: inserting(
    'aliases',
    `insert into room_aliases (alias, room_nid, creator_nid)
     select r.room_alias, o.room_nid, coalesce(u.user_nid, 0)
     from ${json('room_alias text, room_id text, creator text')} ${room}
       left join users u on u.user_id = r.creator`,
  ),
};

const roomAccountData: Copy = {
  name: 'account data of rooms',
  reading: {
    columns: 'user_id, room_id, account_data_type, content',
    from: 'room_account_data',
    key: ['user_id', 'room_id', 'account_data_type'],
  },
  into: inserting(
    'room_account_data',
    `insert into account_data (user_nid, room_nid, type, content, pos)
     select u.user_nid, o.room_nid, r.account_data_type, r.content, nextval('stream_position')
     from ${json('user_id text, room_id text, account_data_type text, content text')} ${user} ${room}`,
  ),
};

const tags: Copy = {
  name: 'tags',
  reading: {
    columns: 'user_id, room_id, tag, content',
    from: 'room_tags',
    key: ['user_id', 'room_id', 'tag'],
  },
  into: statement(
    'synapse_import.tags',
    `with added as (
       insert into account_data as a (user_nid, room_nid, type, content, pos)
       select user_nid, room_nid, 'm.tag', content, nextval('stream_position') from (
         select u.user_nid, o.room_nid,
           json_build_object('tags', json_object_agg(r.tag, r.content::json))::text as content
         from ${json('user_id text, room_id text, tag text, content text')} ${user} ${room}
         group by 1, 2) as t
       on conflict (user_nid, room_nid, type) do update set content = json_build_object('tags',
         (a.content::jsonb -> 'tags') || (excluded.content::jsonb -> 'tags'))::text
       returning 1)
     select count(*)::int as count from added`,
  ),
};

const receipts: Copy = {
  name: 'receipts',
  reading: {
    columns: 'user_id, room_id, receipt_type, thread_id, event_id, data, stream_id',
    from: 'receipts_linearized',
    key: ['stream_id', 'user_id'],
  },
  users: ['user_id'],
  prepare: (rows) =>
    rows.map(({ data, ...row }) => {
      const { ts } = JSON.parse((data as string | null) ?? '{}') as { ts?: number };
      return { ...row, ts: Number.isSafeInteger(ts) ? ts! : 0 };
    }),
  into: inserting(
    'receipts',
    `insert into receipts (room_nid, user_nid, receipt_type, thread_id, event_id, event_pos,
         event_sub, ts, pos)
     select o.room_nid, u.user_nid, r.receipt_type, coalesce(r.thread_id, ''), r.event_id, e.pos,
       e.sub, r.ts, nextval('stream_position')
     from ${json(`user_id text, room_id text, receipt_type text, thread_id text, event_id text,
       ts bigint`)} ${user} ${room}
       join events e on e.room_nid = o.room_nid and e.event_id = r.event_id and e.pos is not null`,
  ),
};

const blockedRooms: Copy = {
  name: 'blocked rooms',
  reading: { columns: 'room_id, user_id', from: 'blocked_rooms', key: ['room_id'] },
  // When that was is not known.
  into: statement(
    'synapse_import.blocked_rooms',
    `with changed as (
       update rooms o set is_blocked = true
       from ${json('room_id text')} where o.room_id = r.room_id and not o.is_blocked),
     noted as (
       insert into blocked_rooms (room_id, blocked_by, blocked_ts)
         select r.room_id, r.user_id, 0 from ${json('room_id text, user_id text')}
         on conflict do nothing returning 1)
     select count(*)::int as count from noted`,
  ),
};

const publicRooms: Copy = {
  name: 'rooms of the directory',
  reading: { columns: 'room_id', from: 'rooms', where: 'is_public', key: ['room_id'] },
  into: statement(
    'synapse_import.public_rooms',
    `with changed as (
       update rooms o set is_public = true
       from ${json('room_id text')} where o.room_id = r.room_id and not o.is_public returning 1)
     select count(*)::int as count from changed`,
  ),
};

const forgottenRooms: Copy = {
  name: 'forgotten rooms',
  reading: {
    columns: 'm.event_id, m.room_id, m.user_id',
    from: `room_memberships m join local_current_membership c on c.event_id = m.event_id`,
    where: 'm.forgotten = 1',
    key: ['event_id'],
    keySql: ['m.event_id'],
  },
  into: statement(
    'synapse_import.forgotten_rooms',
    `with changed as (
       update memberships m set is_forgotten = true
       from ${json('room_id text, user_id text')} ${user} ${room}
       where m.user_nid = u.user_nid and m.room_nid = o.room_nid and not m.is_forgotten returning 1)
     select count(*)::int as count from changed`,
  ),
};

/** What belongs to rooms, once those are there. */
export const roomCopies: readonly Copy[] = [
  aliases,
  roomAccountData,
  tags,
  receipts,
  blockedRooms,
  publicRooms,
  forgottenRooms,
];
