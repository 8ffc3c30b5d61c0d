import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

/** A change that other servers are to be told of, and the rooms in which the user is. */
export interface DeviceChange {
  pos: number;
  userNid: number;
  userId: string;
  roomNids: number[];
}

const selectChanges = statement<[afterPos: number, uptoPos: number, limit: number], DeviceChange>(
  'keys.device_changes',
  `select c.pos, c.user_nid as "userNid", u.user_id as "userId",
     array(select m.room_nid from memberships m
       where m.user_nid = c.user_nid and m.membership = 'join') as "roomNids"
   from (select distinct pos, user_nid from device_changes where pos > $1 and pos <= $2
       order by pos limit $3) c
     join users u on u.user_nid = c.user_nid
   order by c.pos`,
);

/** What has changed at a position. */
export interface ChangedDevice {
  pos: number;
  /** False: the user's cross-signing keys. */
  isDevice: boolean;
  deviceId: string;
  /** Of the user's change of a device before; null: there was none. */
  prevPos: number | null;
  /** The device is no more. */
  isGone: boolean;
}

const selectAt = statement<[positions: number[]], ChangedDevice>(
  'keys.devices_changed_at',
  `select c.pos, c.is_device as "isDevice", c.device_id as "deviceId", c.prev_pos as "prevPos",
     not exists (select from devices d
       where d.user_nid = c.user_nid and d.device_id = c.device_id) as "isGone"
   from device_changes c where c.pos = any($1) order by c.pos, c.device_id`,
);

const selectStreamId = statement<[userNid: number], { streamId: number }>(
  'keys.device_stream_id',
  `select coalesce(max(pos), 0) as "streamId" from device_changes
   where user_nid = $1 and is_device`,
);

// The user's newest change stays: the next one names it.
const deleteChanges = statement<[beforePos: number], never>(
  'keys.forget_device_changes',
  `delete from device_changes c where c.pos < $1 and c.is_device
     and not exists (select from devices d
       where d.user_nid = c.user_nid and d.device_id = c.device_id)
     and exists (select from device_changes n
       where n.user_nid = c.user_nid and n.is_device and n.pos > c.pos)`,
);

/** What other servers are told of devices and keys. */
export function createDeviceChangeStore(database: Queryable) {
  return {
    /** In order, at most `limit`. */
    changes: (afterPos: number, uptoPos: number, limit: number) =>
      database.query(selectChanges, [afterPos, uptoPos, limit]),
    /** What has not changed again since. */
    at: (positions: readonly number[]) => database.query(selectAt, [[...positions]]),
    /** Forgets devices that are no more, and were told of before a position. */
    forget: (beforePos: number) => database.query(deleteChanges, [beforePos]),
    async streamId(userNid: number): Promise<number> {
      return (await database.query(selectStreamId, [userNid]))[0]!.streamId;
    },
  };
}

export type DeviceChangeStore = ReturnType<typeof createDeviceChangeStore>;
