import { createHash } from 'node:crypto';
import type { UserRef } from '../accounts/module.ts';
import type { Email } from '../email/module.ts';
import type { Clock } from '../kernel/clock.ts';
import { MatrixError } from '../kernel/errors.ts';
import { inGroups } from '../kernel/in-groups.ts';
import type { Log } from '../kernel/log.ts';
import { randomLetters } from '../kernel/random.ts';
import type { AccountValidityConfig } from './config.ts';
import type { Expiring, RenewalStore } from './store/renewals.ts';

export interface RenewalNeeds {
  config: AccountValidityConfig;
  clock: Clock;
  log: Log;
  email: Email;
  store: RenewalStore;
  /** What links in mails begin with, without a slash at the end. */
  baseUrl: string;
  setValidUntil(user: UserRef, validUntilTs: number | null): Promise<void>;
  /** The name people know the user by. */
  displayNameOf(user: UserRef): Promise<string>;
}

/** What following a link in a mail has led to. */
export interface RenewalOutcome {
  result: 'renewed' | 'renewed before' | 'unknown';
  /** Milliseconds since 1970; 0: unknown. */
  validUntilTs: number;
}

export interface Renewals {
  /** With the token of a mail. */
  renewByToken(token: string): Promise<RenewalOutcome>;
  /** By an admin. Gives the new end; null: for one period from now on. */
  renew(user: UserRef, validUntilTs: number | null, sendsMails: boolean): Promise<number>;
  /** Rejects with M_FORBIDDEN when there are no mails, M_UNKNOWN when the account has no end. */
  sendMail(user: UserRef): Promise<void>;
  /** New accounts get their end. */
  begin(user: UserRef): Promise<void>;
  /** Gives older accounts an end and tells those whose end is near. Safe in several processes. */
  sweep(): Promise<void>;
}

const tokenLetters = 32;
/** Accounts or mails that one sweep takes at a time. */
const filledAtOnce = 1_000;
const mailsAtOnce = 50;
/** Accounts that are mailed to side by side: other mails are not to wait behind them all. */
const mailedAtOnce = 5;
/** The part of the period over which the ends of accounts from before are spread. */
const spreadPart = 0.1;

const hashOf = (token: string) => createHash('sha256').update(token).digest();

export function createRenewals(needs: RenewalNeeds): Renewals {
  const { config, clock, log, email, store, baseUrl } = needs;
  const { periodMs, renewAtMs } = config;
  let isFilledIn = false;

  async function tell(user: Expiring): Promise<void> {
    const token = randomLetters(tokenLetters);
    await store.setToken(user.userNid, hashOf(token));
    const values = {
      display_name: await needs.displayNameOf(user),
      expiration_ts: user.validUntilTs,
      url: `${baseUrl}/_matrix/client/unstable/account_validity/renew?token=${token}`,
    };
    const { subject } = config;
    await Promise.all(
      user.addresses.map((to) => email.send({ to, subject, template: 'notice_expiry', values })),
    );
  }

  async function tellOrLater(user: Expiring): Promise<void> {
    try {
      await tell(user);
    } catch (error) {
      log.warn({ err: error, userId: user.userId }, 'could not tell of the end of an account');
      await store.untell(user.userNid);
    }
  }

  return {
    async renewByToken(token) {
      const now = clock.now();
      const taken = await store.takeToken(hashOf(token), now);
      if (!taken) return { result: 'unknown', validUntilTs: 0 };
      if (taken.isUsed) {
        return { result: 'renewed before', validUntilTs: taken.validUntilTs ?? 0 };
      }
      const validUntilTs = now + periodMs;
      await needs.setValidUntil(taken, validUntilTs);
      return { result: 'renewed', validUntilTs };
    },
    async renew(user, validUntilTs, sendsMails) {
      const until = validUntilTs ?? clock.now() + periodMs;
      await needs.setValidUntil(user, until);
      await store.noteRenewal(user.userNid, sendsMails ? null : until);
      return until;
    },
    async sendMail({ userNid }) {
      if (renewAtMs === null || !email.isEnabled) {
        throw new MatrixError('M_FORBIDDEN', 'Accounts are not renewed by mail on this server');
      }
      const user = await store.expiryOf(userNid);
      if (user.validUntilTs === null) {
        throw new MatrixError('M_UNKNOWN', 'This account does not expire');
      }
      await tell(user);
    },
    begin: (user) => needs.setValidUntil(user, clock.now() + periodMs),
    async sweep() {
      const now = clock.now();
      if (!isFilledIn) {
        const filled = await store.fillIn(now + periodMs, periodMs * spreadPart, filledAtOnce);
        isFilledIn = filled < filledAtOnce;
      }
      if (renewAtMs === null || !email.isEnabled) return;
      const expiring = await store.takeExpiring(now + renewAtMs, mailsAtOnce);
      await inGroups(expiring, mailedAtOnce, tellOrLater);
    },
  };
}
