/** The limits of `rc_login` that depend on more than the address a request comes from. */
export type LoginLimit = 'account' | 'failed_attempts';

/** Counts log-ins. Throws M_LIMIT_EXCEEDED when the subject has no more. */
export interface LoginLimiter {
  /** Refuses when there is nothing left; counts nothing. */
  check(limit: LoginLimit, subject: string): void;
  /** Refuses when there is nothing left, else counts one. */
  take(limit: LoginLimit, subject: string): void;
  /** Counts one without refusing. */
  count(limit: LoginLimit, subject: string): void;
}
