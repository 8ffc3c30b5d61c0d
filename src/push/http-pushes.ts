import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import type { Action } from '../matrix/push-rules/rule.ts';
import { contentOf } from '../rooms/module.ts';
import type { PushConfig } from './config.ts';
import type { Gateway } from './gateway.ts';
import type { Teller } from './dispatch.ts';
import type { HeldPusher } from './held-pushers.ts';
import { countPush, eventPush, type GatewayPusher } from './push-body.ts';
import type { PushMetrics } from './push-metrics.ts';
import type { PendingRow } from './store/notifications.ts';

export interface HttpPushesNeeds {
  config: PushConfig;
  clock: Clock;
  log: Log;
  gateway: Gateway;
  metrics: PushMetrics;
  /** The user's unread count, for the app's icon. */
  badgeOf(user: { userNid: number; userId: string }): Promise<number>;
  /** The gateway no longer wants the pushkey. */
  rejected(pusher: HeldPusher): Promise<void>;
}

/** Notifications read at a time. */
const pendingMax = 10;
const firstBackoffMs = 1_000;
const backoffMsMax = 60 * 60 * 1000;
/** What has failed for longer is given up, so that nobody is told of old messages at once. */
const failingMsMax = 24 * 60 * 60 * 1000;

const textIn = (json: string | null, name: string): string | null => {
  const value = json === null ? null : (JSON.parse(json) as JsonObject)[name];
  return typeof value === 'string' && value !== '' ? value : null;
};

const gatewayPusher = ({ row, data }: HeldPusher): GatewayPusher => ({ ...row, data });

function pushedEvent(row: PendingRow, userId: string) {
  const { eventId, roomId, type, sender, stateKey } = row;
  const roomAlias = textIn(row.aliasContent, 'alias');
  return {
    userId,
    eventId,
    roomId,
    type,
    sender,
    stateKey,
    roomAlias,
    content: contentOf(row),
    actions: JSON.parse(row.actions) as Action[],
    senderDisplayName: textIn(row.senderMember, 'displayname') ?? sender,
    roomName: textIn(row.nameContent, 'name') ?? roomAlias,
  };
}

/** Pushes of one pusher, one after the other; an event that was read meanwhile is passed over. */
export function createHttpPushes(needs: HttpPushesNeeds): Required<Teller> {
  const { config, clock, log, gateway, metrics } = needs;
  const urlOf = ({ data }: HeldPusher) => data['url'] as string;

  /** Whether the push is to wait, so that its time tells nothing. */
  function isJittered(pusher: HeldPusher, row: PendingRow): boolean {
    if (config.jitterMs === 0 || pusher.jitteredPos === row.pos) return false;
    pusher.jitteredPos = row.pos!;
    pusher.dueTs = row.originServerTs + Math.ceil(Math.random() * config.jitterMs);
    return pusher.dueTs > clock.now();
  }

  /** Notes a failure. True: the notification is given up. */
  function failed(pusher: HeldPusher, error: unknown): boolean {
    const { appId, userId } = pusher.row;
    const now = clock.now();
    metrics.failed.inc();
    pusher.failingSinceTs ??= now;
    if (pusher.failingSinceTs < now - failingMsMax) {
      log.warn({ appId, userId }, 'a notification is given up: its push gateway fails for a day');
      pusher.failingSinceTs = null;
      pusher.backoffMs = 0;
      return true;
    }
    pusher.backoffMs =
      pusher.backoffMs === 0 ? firstBackoffMs : Math.min(pusher.backoffMs * 2, backoffMsMax);
    pusher.dueTs = now + pusher.backoffMs;
    log.info({ err: error, appId, userId, waitMs: pusher.backoffMs }, 'a push failed');
    return false;
  }

  async function send(pusher: HeldPusher, row: PendingRow, unread: number): Promise<void> {
    const event = pushedEvent(row, pusher.row.userId);
    const { includesContent } = config;
    const body = eventPush(gatewayPusher(pusher), event, { unread, includesContent });
    const rejected = await gateway.notify(urlOf(pusher), body);
    if (rejected.includes(pusher.row.pushkey)) await needs.rejected(pusher);
    else pusher.badge = unread;
  }

  return {
    pendingMax,
    async push(pusher, pending) {
      let succeeded = false;
      for (const row of pending) {
        if (pusher.isGone) break;
        if (!row.isPast && row.redactedBy === null) {
          if (isJittered(pusher, row)) break;
          try {
            // oxlint-disable-next-line no-await-in-loop
            const unread = await needs.badgeOf(pusher.row);
            // oxlint-disable-next-line no-await-in-loop
            await send(pusher, row, unread);
            metrics.processed.inc();
            succeeded = true;
            pusher.failingSinceTs = null;
            pusher.backoffMs = 0;
          } catch (error) {
            if (!failed(pusher, error)) break;
          }
        }
        pusher.pos = row.pos!;
      }
      return { succeeded };
    },
    async pushCount(pusher) {
      const unread = await needs.badgeOf(pusher.row);
      if (unread === pusher.badge || pusher.isGone) return;
      pusher.badge = unread;
      try {
        const rejected = await gateway.notify(
          urlOf(pusher),
          countPush(gatewayPusher(pusher), unread),
        );
        metrics.badgesProcessed.inc();
        if (rejected.includes(pusher.row.pushkey)) await needs.rejected(pusher);
      } catch (error) {
        metrics.badgesFailed.inc();
        pusher.badge = null;
        log.info({ err: error, userId: pusher.row.userId }, 'an unread count could not be pushed');
      }
    },
  };
}
