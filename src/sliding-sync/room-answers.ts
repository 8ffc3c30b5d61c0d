import {
  clientEventJson,
  placeBefore,
  strippedEventJson,
  type StoredEvent,
} from '../rooms/module.ts';
import { formatPlace } from '../streams/position.ts';
import type { RoomUnread } from '../sync/module.ts';
import type { SlidingPlan } from './room-plans.ts';
import type { RoomState } from './room-states.ts';
import type { InfoRow } from './store/rooms.ts';

/** What is shown of one room. */
export interface RoomAnswer {
  one: SlidingPlan;
  bumpStamp: number;
  isDirect: boolean;
  /** Null: nothing about the room has changed. */
  info: InfoRow | null;
  state: RoomState | null;
  unread: RoomUnread | undefined;
}

export interface AnswerFormat {
  now: number;
  reader: { userNid: number; deviceNid: number | null };
  /** Durable position of the client; null: it begins anew. */
  since: number | null;
  /** What other events add to an event, by its id. */
  aggregations: ReadonlyMap<string, string>;
}

const text = (value: unknown) => (typeof value === 'string' ? JSON.stringify(value) : null);

function heroesJson({ heroes }: InfoRow): string {
  if (!heroes) return '';
  const shown = heroes.map(({ userId, content }) => {
    const { displayname, avatar_url } = JSON.parse(content) as Record<string, unknown>;
    const [name, avatar] = [text(displayname), text(avatar_url)];
    return (
      `{"user_id":${JSON.stringify(userId)}` +
      `${name ? `,"displayname":${name}` : ''}${avatar ? `,"avatar_url":${avatar}` : ''}}`
    );
  });
  return `,"heroes":[${shown.join(',')}]`;
}

function namesJson({ name, avatar }: Pick<InfoRow, 'name' | 'avatar'>): string {
  const json = name === null ? '' : `,"name":${JSON.stringify(name)}`;
  return avatar === null ? json : `${json},"avatar":${JSON.stringify(avatar)}`;
}

const infoJson = (info: InfoRow) =>
  `,"joined_count":${info.joinedCount},"invited_count":${info.invitedCount}` +
  namesJson(info) +
  heroesJson(info);

function timelineJson({ one }: RoomAnswer, format: AnswerFormat): string {
  const { plan } = one;
  const events = plan.events!;
  const membershipAt = plan.membershipAt ?? (() => 'join');
  const shown = events.map((event) => eventJson(event, format, membershipAt(event)));
  const first = events[0];
  const place = first ? placeBefore(first) : { pos: Math.max(plan.afterPos, 0), sub: 0 };
  const { since } = format;
  const live = since === null ? 0 : events.filter((event) => event.pos! > since).length;
  let json = `,"limited":${plan.isLimited},"prev_batch":"${formatPlace(place)}","num_live":${live}`;
  if (shown.length > 0) json += `,"timeline":[${shown.join(',')}]`;
  if (one.isExpanded) json += ',"unstable_expanded_timeline":true';
  return json;
}

const eventJson = (event: StoredEvent, format: AnswerFormat, membership: string | undefined) =>
  clientEventJson(event, {
    now: format.now,
    senderNid: format.reader.userNid,
    deviceNid: format.reader.deviceNid,
    membership,
    unsigned: format.aggregations.get(event.eventId) ?? '',
  });

/** One room of an answer: `"id":{…}`. */
export function roomJson(answer: RoomAnswer, format: AnswerFormat): string {
  const { one, unread } = answer;
  const { plan } = one;
  let notifications = unread?.main.notifications ?? 0;
  let highlights = unread?.main.highlights ?? 0;
  for (const thread of unread?.threads.values() ?? []) {
    notifications += thread.notifications;
    highlights += thread.highlights;
  }
  let json =
    `${JSON.stringify(plan.room.roomId)}:{"bump_stamp":${answer.bumpStamp},` +
    `"notification_count":${notifications},"highlight_count":${highlights}`;
  if (one.sent === null) json += ',"initial":true';
  if (answer.isDirect) json += ',"is_dm":true';
  if (answer.info) json += infoJson(answer.info);
  if (answer.state?.left) json += namesJson(answer.state.left);
  if (plan.section === 'invite' || plan.section === 'knock') {
    return `${json},"invite_state":[${plan.state.map(strippedEventJson).join(',')}]}`;
  }
  if (answer.state && answer.state.events.length > 0) {
    const states = answer.state.events.map((event) => eventJson(event, format, undefined));
    json += `,"required_state":[${states.join(',')}]`;
  }
  return `${json}${timelineJson(answer, format)}}`;
}
