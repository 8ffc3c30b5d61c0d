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
