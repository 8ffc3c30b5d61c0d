import { readableJson } from '../../database/readable-json.ts';

/** The server of a user id: what follows its first colon; the expression of an index. */
export const serverOf = (userId: string) => `substr(${userId}, strpos(${userId}, ':') + 1)`;

/** A membership, as the content of its event says. */
export const membershipIn = (content: string) => `${readableJson(content)} ->> 'membership'`;

export const memberType = `(select type_nid from event_types where event_type = 'm.room.member')`;
