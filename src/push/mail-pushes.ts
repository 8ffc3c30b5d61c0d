import type { Email } from '../email/module.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { PushMailConfig } from './config.ts';
import type { Teller } from './dispatch.ts';
import type { HeldPusher } from './held-pushers.ts';
import { mailValues } from './mail-content.ts';
import type { Pushers } from './pushers.ts';
import type { MailStore, Throttle } from './store/mails.ts';
import type { PendingRow } from './store/notifications.ts';
import { mailDueTs, nextThrottle } from './throttling.ts';
import type { UnsubscribeLinks } from './unsubscribe-links.ts';

export interface MailPushesNeeds {
  config: PushMailConfig;
  clock: Clock;
  log: Log;
  email: Email;
  store: MailStore;
  links: UnsubscribeLinks;
  pushers: Pick<Pushers, 'remove' | 'mailAddress'>;
  /** The name people know the user by. */
  displayNameOf(user: { userNid: number; userId: string }): Promise<string>;
}

/** Notifications in one mail: nobody reads more. */
const pendingMax = 50;
const firstBackoffMs = 10_000;
const backoffMsMax = 60 * 60 * 1000;

/** Mails about what was missed: one for all rooms, when one of them is due. */
export function createMailPushes(needs: MailPushesNeeds): Teller {
  const { config, clock, log, email, store, links, pushers } = needs;
  const { delayMs } = config;

  async function send(pusher: HeldPusher, rows: readonly PendingRow[], cause: PendingRow) {
    const { userNid, userId, appId, pushkey } = pusher.row;
    const [facts, userName] = await Promise.all([
      store.rooms([...new Set(rows.map((row) => row.roomNid))], userNid),
      needs.displayNameOf(pusher.row),
    ]);
    const unsubscribeLink = links.linkFor({ userNid, appId, pushkey });
    const wish = { userId, userName, unsubscribeLink, causeRoomId: cause.roomId };
    await email.send({
      to: pushkey,
      subject: '%(summary_text)s',
      template: 'notif_mail',
      values: mailValues(rows, facts, wish, config),
      headers: {
        'List-Unsubscribe': `<${unsubscribeLink}>`,
        'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
      },
    });
  }

  async function throttle(
    pusher: HeldPusher,
    rows: readonly PendingRow[],
    before: ReadonlyMap<number, Throttle>,
  ): Promise<void> {
    const newest = new Map(rows.map((row) => [row.roomNid, row.ts]));
    const nowTs = clock.now();
    const next = [...newest].map(([roomNid, noticedTs]) =>
      nextThrottle(roomNid, before.get(roomNid), { noticedTs, nowTs, delayMs }),
    );
    await store.setThrottles(pusher.row.pusherNid, next);
  }

  return {
    pendingMax,
    async push(pusher, pending) {
      const { row } = pusher;
      const now = clock.now();
      const rows = pending.filter((one) => !one.isPast && one.redactedBy === null);
      const last = pending.at(-1)!.pos!;
      if (rows.length === 0) {
        pusher.pos = last;
        return { succeeded: false };
      }
      const found = await store.throttles(row.pusherNid);
      const throttles = new Map(found.map((one) => [one.roomNid, one]));
      const dueOf = (one: PendingRow) => mailDueTs(one.ts, delayMs, throttles.get(one.roomNid));
      const cause = rows.find((one) => dueOf(one) <= now);
      if (!cause) {
        // Looked at again when something that comes meanwhile may be due.
        pusher.dueTs = Math.min(now + Math.max(delayMs, 1), ...rows.map(dueOf));
        return { succeeded: false };
      }
      if ((await pushers.mailAddress(row.userNid, row.pushkey)) === null) {
        await pushers.remove(row.userNid, row.appId, row.pushkey);
        return { succeeded: false };
      }
      try {
        await send(pusher, rows, cause);
      } catch (error) {
        const next = pusher.backoffMs === 0 ? firstBackoffMs : pusher.backoffMs * 2;
        pusher.backoffMs = Math.min(next, backoffMsMax);
        pusher.failingSinceTs ??= now;
        pusher.dueTs = clock.now() + pusher.backoffMs;
        log.info({ err: error, userId: row.userId }, 'a mail about missed messages was not sent');
        return { succeeded: false };
      }
      pusher.backoffMs = 0;
      pusher.failingSinceTs = null;
      pusher.pos = last;
      await throttle(pusher, rows, throttles);
      return { succeeded: true };
    },
  };
}
