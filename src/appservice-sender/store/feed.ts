import type { DeviceListRow } from '../../keys/module.ts';
import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';
import type { ReceiptRow } from '../../receipts/module.ts';
import { eventColumns, memberTypeNid, type StoredEvent } from '../../rooms/module.ts';
import type { EventRef } from './progress.ts';

type Range = [afterPos: number, uptoPos: number, limit: number];

/** Where an event is, and whom it concerns. */
export interface EventPlace extends EventRef {
  pos: number;
  sender: string;
  /** For membership events: whose. */
  memberId: string | null;
}

const selectPlaces = statement<Range, EventPlace>(
  'select_event_places',
  `select e.pos, e.room_nid as "roomNid", e.event_nid as "eventNid", u.user_id as sender,
     case when e.type_nid = ${memberTypeNid} then e.state_key end as "memberId"
   from events e join users u on u.user_nid = e.sender_nid
   where e.pos > $1 and e.pos <= $2 and e.sub = 0 and e.status = 0
   order by e.pos limit $3`,
);

const selectReceipts = statement<Range, ReceiptRow & { pos: number }>(
  'select_receipts_after',
  `select r.pos, r.room_nid as "roomNid", o.room_id as "roomId", r.user_nid as "userNid",
     u.user_id as "userId", r.receipt_type as type, nullif(r.thread_id, '') as "threadId",
     r.event_id as "eventId", r.event_pos as "eventPos", r.event_sub as "eventSub", r.ts,
     true as "isLocal"
   from receipts r join users u on u.user_nid = r.user_nid join rooms o on o.room_nid = r.room_nid
   where r.pos > $1 and r.pos <= $2 order by r.pos limit $3`,
);

/** A message to a device of a user of this server. */
export interface DeviceMessage {
  pos: number;
  userNid: number;
  userId: string;
  deviceNid: number;
  /** As `/sync` shows it, as JSON text. */
  message: string;
}

const selectMessages = statement<[...Range, prefixes: string[]], DeviceMessage>(
  'select_messages_to_devices_after',
  `select i.pos, i.user_nid as "userNid", u.user_id as "userId", i.device_nid as "deviceNid",
     i.message
   from device_inbox i join users u on u.user_nid = i.user_nid
   where i.pos > $1 and i.pos <= $2 and u.user_id ^@ any($4::text[])
   order by i.pos limit $3`,
);

const selectDeviceLists = statement<Range, DeviceListRow & { pos: number }>(
  'select_device_lists_after',
  `select c.pos, c.user_nid as "userNid", u.user_id as "userId",
     array(select m.room_nid from memberships m
       where m.user_nid = c.user_nid and m.membership = 'join') as "roomNids"
   from (select pos, user_nid from device_list_changes where pos > $1 and pos <= $2
       order by pos limit $3) c
     join users u on u.user_nid = c.user_nid
   order by c.pos`,
);

const selectEvents = statement<
  [roomNids: number[], eventNids: number[]],
  StoredEvent & { roomId: string }
>(
  'select_events_for_appservice',
  `select ${eventColumns}, r.room_id as "roomId"
   from unnest($1::bigint[], $2::bigint[]) as w(room_nid, event_nid)
     join events e on e.room_nid = w.room_nid and e.event_nid = w.event_nid
     join rooms r on r.room_nid = e.room_nid`,
);

const selectDeviceIds = statement<
  [userNids: number[], deviceNids: number[]],
  { deviceNid: number; deviceId: string }
>(
  'select_device_ids',
  `select d.device_nid as "deviceNid", d.device_id as "deviceId"
   from unnest($1::bigint[], $2::bigint[]) as w(user_nid, device_nid)
     join devices d on d.user_nid = w.user_nid and d.device_nid = w.device_nid`,
);

/** What services are told of. `events`: the database with names, `withEventNames`. */
export function createFeedStore(database: Queryable, events: Queryable) {
  return {
    places: (...range: Range) => database.query(selectPlaces, range),
    receipts: (...range: Range) => database.query(selectReceipts, range),
    /** To users whose ids begin with one of the texts. */
    messages: (range: Range, prefixes: string[]) =>
      database.query(selectMessages, [...range, prefixes]),
    deviceLists: (...range: Range) => database.query(selectDeviceLists, range),
    /** In any order; those that are no more are left out. */
    events: (refs: readonly EventRef[]) =>
      events.query(selectEvents, [
        refs.map(({ roomNid }) => roomNid),
        refs.map(({ eventNid }) => eventNid),
      ]),
    async deviceIds(devices: readonly { userNid: number; deviceNid: number }[]) {
      const rows = await database.query(selectDeviceIds, [
        devices.map(({ userNid }) => userNid),
        devices.map(({ deviceNid }) => deviceNid),
      ]);
      return new Map(rows.map(({ deviceNid, deviceId }) => [deviceNid, deviceId]));
    },
  };
}

export type FeedStore = ReturnType<typeof createFeedStore>;
