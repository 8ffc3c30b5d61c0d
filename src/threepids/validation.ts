import { createHash } from 'node:crypto';
import type { Database } from '../database/database.ts';
import type { Email } from '../email/module.ts';
import type { Clock } from '../kernel/clock.ts';
import { MatrixError } from '../kernel/errors.ts';
import { randomLetters } from '../kernel/random.ts';
import type { ThreepidsConfig } from './config.ts';
import {
  deleteOldSessions,
  deleteSession,
  insertToken,
  selectSessionOfClient,
  selectValidated,
  startAttempt,
  submitToken,
  undoAttempt,
} from './store/sessions.ts';

/** What an address is to be proven for: decides over the mail and the page behind its link. */
export type Purpose = 'registration' | 'password_reset' | 'add_threepid';

export interface EmailWish {
  purpose: Purpose;
  /** In its canonical form. */
  address: string;
  clientSecret: string;
  sendAttempt: number;
  nextLink: string | null;
}

/** Something proven, and the session in which it was. */
export interface Validated {
  sid: string;
  medium: string;
  address: string;
  validatedTs: number;
}

/** Proofs of mail addresses: a mail with a link, and whether the link was followed. */
export interface Validation {
  /** Sends a mail, once per attempt; gives the session's id. Rejects with `MailFailed`. */
  requestEmail(wish: EmailWish): Promise<string>;
  /** The link was followed: gives where to go next. Rejects when the token is wrong or too old. */
  submit(sid: string, clientSecret: string, token: string): Promise<string | null>;
  validated(sid: string, clientSecret: string): Promise<Validated | null>;
  /** What was proven has served its purpose. */
  remove(sid: string): Promise<void>;
  removeOld(): Promise<void>;
}

/** How long a session is known after its first mail. Interactive authentication takes no longer. */
const sessionKeptMs = 48 * 60 * 60 * 1000;

const paths: Record<Purpose, string> = {
  registration: '/_matrix/client/unstable/registration/email/submit_token',
  add_threepid: '/_matrix/client/unstable/add_threepid/email/submit_token',
  password_reset: '/_synapse/client/password_reset/email/submit_token',
};

const hashOf = (token: string) => createHash('sha256').update(token).digest();

export interface ValidationNeeds {
  database: Database;
  clock: Clock;
  email: Email;
  config: ThreepidsConfig;
}

export function createValidation(needs: ValidationNeeds): Validation {
  const { database, clock, email, config } = needs;

  async function sendMail(sid: string, wish: EmailWish): Promise<void> {
    const { tokenLifetimeMs, subjects } = config.mail!;
    const token = randomLetters(32);
    const expiresTs = clock.now() + tokenLifetimeMs;
    await database.query(insertToken, [sid, hashOf(token), wish.nextLink, expiresTs]);
    const query = new URLSearchParams({ token, client_secret: wish.clientSecret, sid });
    const isReset = wish.purpose === 'password_reset';
    await email.send({
      to: wish.address,
      subject: isReset ? subjects.password_reset : subjects.email_validation,
      template: wish.purpose,
      values: { link: `${config.baseUrl}${paths[wish.purpose]}?${query.toString()}` },
    });
  }

  return {
    async requestEmail(wish) {
      const { address, clientSecret, sendAttempt } = wish;
      const params = [randomLetters(16), 'email', address, clientSecret, sendAttempt] as const;
      const [started] = await database.query(startAttempt, [...params, clock.now()]);
      if (!started) {
        const [known] = await database.query(selectSessionOfClient, [
          'email',
          address,
          clientSecret,
        ]);
        return known!.sessionId;
      }
      try {
        await sendMail(started.sessionId, wish);
      } catch (error) {
        await database.query(undoAttempt, [started.sessionId, sendAttempt]);
        throw error;
      }
      return started.sessionId;
    },
    async submit(sid, clientSecret, token) {
      const params = [sid, clientSecret, hashOf(token), clock.now()] as const;
      const [found] = await database.query(submitToken, [...params]);
      if (!found) {
        throw new MatrixError('M_UNKNOWN', 'This link is wrong or too old. Ask for a new one.');
      }
      return found.nextLink;
    },
    async validated(sid, clientSecret) {
      const [row] = await database.query(selectValidated, [sid, clientSecret]);
      return row ? { sid, ...row } : null;
    },
    async remove(sid) {
      await database.query(deleteSession, [sid]);
    },
    async removeOld() {
      await database.query(deleteOldSessions, [clock.now() - sessionKeptMs]);
    },
  };
}
