import { readableJson } from '../../database/readable-json.ts';

/**
 * The columns of a StoredEvent, from `events e`. Type and sender come as numbers; their names are
 * put in by `withEventNames`.
 */
export const eventColumns = `
  e.room_nid as "roomNid", e.event_nid as "eventNid", e.pos, e.sub, e.event_id as "eventId",
  e.type_nid as "typeNid", null::text as type, e.state_key as "stateKey", null::text as sender,
  e.sender_nid as "senderNid", e.origin_server_ts as "originServerTs", e.content, e.unsigned,
  e.device_nid as "deviceNid", e.txn_id as "txnId", e.redacted_by as "redactedBy", e.redacts,
  e.base_pos is not null as "isForked", e.has_gap as "isAfterGap"`;

/** Type and sender as text, for statements that choose by them: `t.event_type`, `u.user_id`. */
export const nameJoins = `
  join event_types t on t.type_nid = e.type_nid
  join users u on u.user_nid = e.sender_nid`;

/** The to_pos of state that holds now. */
export const endless = '9223372036854775807';

/** A membership, as the content of its event says. `content`: an SQL expression. */
export const membershipIn = (content: string) => `${readableJson(content)} ->> 'membership'`;

/** The number of the type `m.room.member`, as an SQL expression. */
export const memberTypeNid = `(select type_nid from event_types where event_type = 'm.room.member')`;

/**
 * Contents of the current entries with an empty state key of `rooms r`, as one JSON object by event
 * type; null without any.
 */
export const stateContents = (types: readonly string[]) => `(
  select json_object_agg(t.event_type, e.content)
  from event_types t
    join room_state s on s.room_nid = r.room_nid and s.type_nid = t.type_nid
      and s.state_key = '' and s.to_pos = ${endless}
    join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid
  where t.event_type in (${types.map((type) => `'${type}'`).join(', ')}))`;

/** The types that describe a room. */
export const describingTypes = [
  'm.room.create',
  'm.room.name',
  'm.room.topic',
  'm.room.avatar',
  'm.room.canonical_alias',
  'm.room.join_rules',
  'm.room.history_visibility',
  'm.room.guest_access',
  'm.room.encryption',
] as const;
