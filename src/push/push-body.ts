import type { JsonObject, JsonValue } from '../matrix/pdu.ts';
import type { Action } from '../matrix/push-rules/rule.ts';

/** A pusher as far as a push gateway is told of it. */
export interface GatewayPusher {
  appId: string;
  pushkey: string;
  /** When it was made, in milliseconds since 1970. */
  createdTs: number;
  /** As the client set it. */
  data: JsonObject;
}

/** An event as it is pushed. */
export interface PushedEvent {
  userId: string;
  eventId: string;
  roomId: string;
  type: string;
  sender: string;
  stateKey: string | null;
  content: JsonObject;
  actions: readonly Action[];
  senderDisplayName: string | null;
  roomName: string | null;
  roomAlias: string | null;
}

/** The tweaks among the actions; one without a value is `true`, as `highlight` is. */
export function tweaksOf(actions: readonly Action[]): JsonObject {
  const tweaks: JsonObject = {};
  for (const action of actions) {
    if (typeof action !== 'string') tweaks[action.set_tweak] = action.value ?? true;
  }
  return tweaks;
}

function device({ appId, pushkey, createdTs, data }: GatewayPusher, tweaks: JsonObject) {
  const { url: _url, ...shown } = data;
  return {
    app_id: appId,
    pushkey,
    pushkey_ts: Math.floor(createdTs / 1000),
    data: shown,
    ...(Object.keys(tweaks).length > 0 ? { tweaks } : {}),
  };
}

const isSet = (value: JsonValue | undefined) => value !== undefined && value !== false;

/** The body that tells a gateway of an event. Source: push gateway API, 2.1. */
export function eventPush(
  pusher: GatewayPusher,
  event: PushedEvent,
  { unread, includesContent }: { unread: number; includesContent: boolean },
): JsonObject {
  const { eventId, roomId, type, sender, stateKey, content } = event;
  const tweaks = tweaksOf(event.actions);
  // What is encrypted may turn out to be anything.
  const isUrgent =
    type === 'm.room.encrypted' || isSet(tweaks['highlight']) || isSet(tweaks['sound']);
  const known = {
    event_id: eventId,
    room_id: roomId,
    counts: { unread },
    prio: isUrgent ? 'high' : 'low',
  };
  if (pusher.data['format'] === 'event_id_only') {
    return { notification: { ...known, devices: [device(pusher, {})] } };
  }
  const isMember = type === 'm.room.member' && stateKey !== null;
  return {
    notification: {
      // The old name of `event_id`, which some gateways still look for.
      id: eventId,
      ...known,
      type,
      sender,
      ...(isMember
        ? {
            membership: content['membership'] ?? null,
            user_is_target: stateKey === event.userId,
          }
        : {}),
      ...(includesContent && Object.keys(content).length > 0 ? { content } : {}),
      ...(event.senderDisplayName ? { sender_display_name: event.senderDisplayName } : {}),
      ...(event.roomName ? { room_name: event.roomName } : {}),
      ...(event.roomAlias ? { room_alias: event.roomAlias } : {}),
      devices: [device(pusher, tweaks)],
    },
  };
}

/** The body that tells a gateway of nothing but the unread count. */
export const countPush = (pusher: GatewayPusher, unread: number): JsonObject => ({
  notification: { id: '', counts: { unread }, devices: [device(pusher, {})] },
});
