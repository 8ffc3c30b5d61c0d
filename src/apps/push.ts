import { createHash } from 'node:crypto';
import type { ThreepidWork, UserRef } from '../accounts/module.ts';
import type { Config } from '../config/config.ts';
import type { PushConfig, PushMailConfig } from '../push/module.ts';
import type { Foundation } from './domains.ts';

/** What is configured for push; a main process that leaves it to others does not push alone either. */
export function pushConfig({ push, workers, experimental }: Config): PushConfig {
  const isMain = workers.app === null || workers.app === 'homeserver';
  const isLeft = isMain && workers.leftByMain.has('pusher') && !workers.holders.has('pusher');
  const hasSwitches = experimental.pusherSwitches;
  return { ...push, isEnabled: push.isEnabled && !isLeft, hasSwitches };
}

/** Mails about missed messages: whether there are any, and what their links are made of. */
export function pushMail({ config, signingKey }: Foundation) {
  const { smtp } = config.email;
  const mail: PushMailConfig | null = smtp?.notifications.isEnabled
    ? { ...smtp.notifications, appName: smtp.appName, subjects: smtp.subjects }
    : null;
  const signed = signingKey.sign('secret of links that end mails');
  return {
    mail,
    // Signatures of one key are always the same: every process has this and nobody else.
    secret: createHash('sha256').update(signed).digest('base64'),
    baseUrl: config.publicBaseUrl ?? `https://${config.serverName}`,
  };
}

/** Registration after which new users with a mail address are mailed. */
export const withMailsForNew = (
  work: ThreepidWork,
  mailNewUser: (user: UserRef) => Promise<void>,
): ThreepidWork => ({
  ...work,
  async registered(user, completed) {
    await work.registered(user, completed);
    await mailNewUser(user);
  },
});
