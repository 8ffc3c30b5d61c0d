import { createHash } from 'node:crypto';
import type { ThreepidWork, UserRef } from '../accounts/module.ts';
import type { PushMailConfig } from '../push/module.ts';
import type { Foundation } from './domains.ts';

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
