import type { JsonObject } from '../matrix/pdu.ts';
import { contentOf } from '../rooms/module.ts';
import type { PushMailConfig, PushSubject } from './config.ts';
import type { PendingRow } from './store/notifications.ts';
import type { MailRoomRow } from './store/mails.ts';

/** A room of a mail, with the user's notifications in it, oldest first. */
interface MailRoom {
  roomId: string;
  /** Null: it has none of its own. */
  name: string | null;
  others: readonly string[];
  isSpace: boolean;
  avatarUrl: string | null;
  invite: PendingRow | null;
  rows: readonly PendingRow[];
}

const textIn = (json: string | null | undefined, name: string): string | null => {
  const value = json ? (JSON.parse(json) as JsonObject)[name] : null;
  return typeof value === 'string' && value !== '' ? value : null;
};

/** Longer names, and those of more than one line, would be more than names in a mail. */
const nameLengthMax = 100;
/** Line ends and the like, and what turns the direction of what follows. */
const noPartOfNames = /[\s\p{Cc}\u202a-\u202e\u2066-\u2069]+/gu;

function nameOf(text: string): string {
  const name = text.replace(noPartOfNames, ' ').trim();
  return name.length <= nameLengthMax ? name : `${name.slice(0, nameLengthMax).toWellFormed()}…`;
}

const senderName = (row: PendingRow) =>
  nameOf(textIn(row.senderMember, 'displayname') ?? '') || nameOf(row.sender);

const listed = (names: readonly string[]): string =>
  names.length < 2 ? (names[0] ?? '') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)!}`;

/** Puts in `%(name)s`. */
const filledIn = (text: string, values: Readonly<Record<string, string>>): string =>
  text.replaceAll(/%\((\w+)\)s/g, (whole, name: string) => values[name] ?? whole);

function roomsOf(
  rows: readonly PendingRow[],
  facts: readonly MailRoomRow[],
  userId: string,
): MailRoom[] {
  const factsOf = new Map(facts.map((row) => [row.roomNid, row]));
  const rooms = [...Map.groupBy(rows, (row) => row.roomNid)].map(([roomNid, own]) => {
    const last = own.at(-1)!;
    const known = factsOf.get(roomNid);
    return {
      roomId: last.roomId,
      name:
        nameOf(textIn(last.nameContent, 'name') ?? textIn(last.aliasContent, 'alias') ?? '') ||
        null,
      others: known?.others.map(nameOf) ?? [],
      isSpace: textIn(known?.create, 'type') === 'm.space',
      avatarUrl: textIn(known?.avatar, 'url'),
      invite: own.find((row) => row.type === 'm.room.member' && row.stateKey === userId) ?? null,
      rows: own,
    };
  });
  return rooms.sort((a, b) => b.rows.at(-1)!.pos! - a.rows.at(-1)!.pos!);
}

/** What the mail is about, in one line: its subject. */
function summary(rooms: readonly MailRoom[], causeRoomId: string, config: PushMailConfig): string {
  const say = (subject: PushSubject, values: Record<string, string>) =>
    filledIn(config.subjects[subject], { app: config.appName, ...values });
  const room = rooms.find(({ roomId }) => roomId === causeRoomId) ?? rooms[0]!;
  const person = listed([...new Set(room.rows.map(senderName))]);
  const { name, invite } = room;
  if (rooms.length > 1) {
    return name === null
      ? say('messages_from_person_and_others', { person })
      : say('messages_in_room_and_others', { room: name });
  }
  if (invite) {
    const inviter = senderName(invite);
    if (name === null) return say('invite_from_person', { person: inviter });
    return room.isSpace
      ? say('invite_from_person_to_space', { person: inviter, space: name })
      : say('invite_from_person_to_room', { person: inviter, room: name });
  }
  if (room.rows.length === 1) {
    return name === null
      ? say('message_from_person', { person })
      : say('message_from_person_in_room', { person, room: name });
  }
  return name === null
    ? say('messages_from_person', { person })
    : say('messages_in_room', { room: name });
}

function messageOf(row: PendingRow) {
  const { body, msgtype, url } = contentOf(row);
  const isReadable = row.type !== 'm.room.encrypted';
  return {
    event_type: row.type,
    is_historical: false,
    id: row.eventId,
    ts: row.originServerTs,
    sender_name: senderName(row),
    sender_avatar_url: textIn(row.senderMember, 'avatar_url'),
    ...(isReadable && typeof msgtype === 'string' ? { msgtype } : {}),
    ...(isReadable && typeof body === 'string'
      ? { body_text_plain: body, body_text_html: body }
      : {}),
    ...(msgtype === 'm.image' && typeof url === 'string' ? { image_url: url } : {}),
  };
}

export interface MailWish {
  userId: string;
  userName: string;
  unsubscribeLink: string;
  /** The room whose notification is the cause of the mail. */
  causeRoomId: string;
}

/** The values of the templates `notif_mail.*`, named as Synapse names them. */
export function mailValues(
  rows: readonly PendingRow[],
  facts: readonly MailRoomRow[],
  wish: MailWish,
  config: PushMailConfig,
) {
  const base = config.clientBaseUrl?.replace(/\/$/, '');
  const roomLink = (roomId: string) =>
    base === undefined ? `https://matrix.to/#/${roomId}` : `${base}/#/room/${roomId}`;
  const rooms = roomsOf(rows, facts, wish.userId);
  return {
    user_display_name: wish.userName,
    unsubscribe_link: wish.unsubscribeLink,
    summary_text: summary(rooms, wish.causeRoomId, config),
    rooms: rooms.map((room) => ({
      title: room.name ?? (listed(room.others) || 'Empty room'),
      invite: room.invite !== null,
      link: roomLink(room.roomId),
      avatar_url: room.avatarUrl,
      notifs: room.rows.map((row) => ({
        link: `${roomLink(room.roomId)}/${row.eventId}`,
        ts: row.ts,
        messages:
          row.type === 'm.room.message' || row.type === 'm.room.encrypted' ? [messageOf(row)] : [],
      })),
    })),
  };
}
