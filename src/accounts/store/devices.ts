import { statement } from '../../database/statement.ts';

export interface DeviceRow {
  deviceNid: number;
  deviceId: string;
  displayName: string | null;
  lastSeenTs: number | null;
  lastSeenIp: string | null;
  lastSeenUserAgent: string | null;
  isDehydrated: boolean;
}

const columns = `device_nid as "deviceNid", device_id as "deviceId", display_name as "displayName",
  last_seen_ts as "lastSeenTs", last_seen_ip as "lastSeenIp",
  last_seen_user_agent as "lastSeenUserAgent", is_dehydrated as "isDehydrated"`;

export const selectDevices = statement<[userNid: number], DeviceRow>(
  'accounts.devices',
  `select ${columns} from devices where user_nid = $1 order by device_nid`,
);

export const selectDevice = statement<[userNid: number, deviceId: string], DeviceRow>(
  'accounts.device',
  `select ${columns} from devices where user_nid = $1 and device_id = $2`,
);

/** No row: the user has no such device. A null name is unchanged. */
export const updateDeviceName = statement<
  [userNid: number, deviceId: string, displayName: string | null],
  { deviceNid: number }
>(
  'accounts.rename_device',
  `update devices set display_name = coalesce($3, display_name)
   where user_nid = $1 and device_id = $2 returning device_nid as "deviceNid"`,
);

/** No row: the device is there already. */
export const insertDevice = statement<
  [
    userNid: number,
    deviceId: string,
    displayName: string | null,
    nowTs: number,
    isDehydrated: boolean,
  ],
  { deviceNid: number }
>(
  'accounts.insert_device',
  `insert into devices (user_nid, device_id, display_name, created_ts, is_dehydrated)
     values ($1, $2, $3, $4, $5)
   on conflict (user_nid, device_id) do nothing returning device_nid as "deviceNid"`,
);

export interface DeletedDevice {
  deviceNid: number;
  deviceId: string;
}

const deleteWithTokens = (where: string) => `with gone as (
     delete from devices where user_nid = $1 and ${where} returning device_nid, device_id
   ), tokens as (
     delete from access_tokens
     where user_nid = $1 and device_nid in (select device_nid from gone)
   ), refreshable as (
     delete from refresh_tokens
     where user_nid = $1 and device_nid in (select device_nid from gone)
   )
   select device_nid as "deviceNid", device_id as "deviceId" from gone`;

/** Devices with all their tokens. */
export const deleteDevices = statement<[userNid: number, deviceIds: string[]], DeletedDevice>(
  'accounts.delete_devices',
  deleteWithTokens('device_id = any($2)'),
);

/** All devices but one, which may be null. Those without a session only when it is said so. */
export const deleteDevicesExcept = statement<
  [userNid: number, keptDeviceId: string | null, dehydratedToo: boolean],
  DeletedDevice
>(
  'accounts.delete_devices_except',
  deleteWithTokens('device_id is distinct from $2 and ($3 or not is_dehydrated)'),
);

/** Parallel arrays, one element per connection seen. */
export const upsertConnections = statement<
  [userNids: number[], deviceNids: number[], ips: string[], userAgents: string[], ts: number[]],
  object
>(
  'accounts.upsert_connections',
  `with seen as (
     select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[])
       as s (user_nid, device_nid, ip, user_agent, last_seen_ts)
   ), newest as (
     select distinct on (user_nid, device_nid) * from seen
     order by user_nid, device_nid, last_seen_ts desc
   ), touched as (
     update devices d
       set last_seen_ts = n.last_seen_ts, last_seen_ip = n.ip, last_seen_user_agent = n.user_agent
     from newest n where d.user_nid = n.user_nid and d.device_nid = n.device_nid
   )
   insert into account_connections (user_nid, device_nid, ip, user_agent, last_seen_ts)
     select user_nid, device_nid, ip, user_agent, last_seen_ts from seen
   on conflict (user_nid, device_nid, ip) do update
     set user_agent = excluded.user_agent, last_seen_ts = excluded.last_seen_ts`,
);

export const selectConnections = statement<
  [userNid: number],
  { deviceId: string | null; ip: string; userAgent: string; lastSeenTs: number }
>(
  'accounts.connections',
  `select d.device_id as "deviceId", c.ip, c.user_agent as "userAgent",
     c.last_seen_ts as "lastSeenTs"
   from account_connections c left join devices d using (user_nid, device_nid)
   where c.user_nid = $1 order by c.last_seen_ts desc`,
);

export const deleteOldConnections = statement<[beforeTs: number], object>(
  'accounts.delete_old_connections',
  `delete from account_connections where last_seen_ts < $1`,
);
