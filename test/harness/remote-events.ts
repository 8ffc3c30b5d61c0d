import type pg from 'pg';
import { authTypesFor } from '../../src/matrix/auth-rules.ts';
import { buildPdu, joinPdu, type BuiltEvent } from '../../src/matrix/event-builder.ts';
import { referenceHash } from '../../src/matrix/event-format.ts';
import type { JsonObject, Pdu } from '../../src/matrix/pdu.ts';
import { roomVersion } from '../../src/matrix/room-versions.ts';
import type { SigningKey } from '../../src/matrix/signing.ts';

/** What a user of another server wants to be an event. */
export interface RemoteWish {
  sender: string;
  type: string;
  stateKey?: string;
  content: JsonObject;
}

interface KnownEvent {
  event_id: string;
  envelope: string;
  content_at: number;
  content: string;
}

const pduOf = ({ envelope, content_at: at, content }: KnownEvent) =>
  JSON.parse(joinPdu(envelope, at, content)) as Pdu;

const columns = 'e.event_id, e.envelope, e.content_at, e.content';

/** An event of another server that comes after the newest one that ours has in a room. */
export async function buildRemoteEvent(
  sql: pg.Client,
  remote: { name: string; key: SigningKey },
  roomId: string,
  wish: RemoteWish,
): Promise<BuiltEvent> {
  const { rows: versions } = await sql.query<{ room_version: string }>(
    'select room_version from rooms where room_id = $1',
    [roomId],
  );
  const version = roomVersion(versions[0]!.room_version);
  const reference = (event: KnownEvent) =>
    version.eventIdFormat === 'explicit'
      ? ([event.event_id, { sha256: referenceHash(version, pduOf(event)) }] as [string, JsonObject])
      : event.event_id;
  const newest = await sql.query<KnownEvent>(
    `select ${columns} from events e join rooms r using (room_nid)
     where r.room_id = $1 and e.pos is not null order by e.pos desc limit 1`,
    [roomId],
  );
  const state = await sql.query<KnownEvent & { event_type: string; state_key: string }>(
    `select ${columns}, t.event_type, s.state_key
     from room_state s join rooms r using (room_nid) join event_types t using (type_nid)
       join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid
     where r.room_id = $1 and s.to_pos = 9223372036854775807`,
    [roomId],
  );
  const pdu = {
    room_id: roomId,
    sender: wish.sender,
    type: wish.type,
    content: wish.content,
    origin_server_ts: Date.now(),
    depth: pduOf(newest.rows[0]!).depth + 1,
    prev_events: newest.rows.map(reference),
    auth_events: [] as Pdu['auth_events'],
    ...(wish.stateKey === undefined ? {} : { state_key: wish.stateKey }),
  };
  const whole = { ...pdu, hashes: { sha256: '' }, signatures: {} };
  for (const [type, key] of authTypesFor(version, whole)) {
    const found = state.rows.find((row) => row.event_type === type && row.state_key === key);
    if (found) pdu.auth_events.push(reference(found));
  }
  return buildPdu(version, pdu, remote.name, remote.key);
}
