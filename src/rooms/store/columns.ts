/** The columns of a StoredEvent, from `events e` joined with its sender and type. */
export const eventColumns = `
  e.room_nid as "roomNid", e.event_nid as "eventNid", e.pos, e.sub, e.event_id as "eventId",
  t.event_type as type, e.state_key as "stateKey", u.user_id as sender,
  e.sender_nid as "senderNid", e.origin_server_ts as "originServerTs", e.content, e.unsigned,
  e.device_nid as "deviceNid", e.txn_id as "txnId", e.redacted_by as "redactedBy", e.redacts`;

/** The joins that eventColumns needs. */
export const eventJoins = `
  join event_types t on t.type_nid = e.type_nid
  join users u on u.user_nid = e.sender_nid`;

/** The to_pos of state that holds now. */
export const endless = '9223372036854775807';
