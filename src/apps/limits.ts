import type { LoginLimiter } from '../accounts/module.ts';
import type { RateLimitClass } from '../http/endpoint.ts';
import type { RateLimiter } from '../http/rate-limiter.ts';
import { MatrixError } from '../kernel/errors.ts';

/** The limits of log-ins, as accounts ask for them. */
export function loginLimiter(limiter: RateLimiter): LoginLimiter {
  const classOf = { account: 'login_account', failed_attempts: 'login_failed' } as const;
  return {
    check: (limit, subject) => limiter.check(classOf[limit], subject),
    take: (limit, subject) => limiter.take(classOf[limit], subject),
    count(limit, subject) {
      limiter.count(classOf[limit], subject);
    },
  };
}

/** Counts a use; false when it is over the limit and is to be left out without a word. */
export function isWithin(limiter: RateLimiter, limitClass: RateLimitClass, key: string): boolean {
  try {
    limiter.take(limitClass, key);
    return true;
  } catch (error) {
    if (error instanceof MatrixError) return false;
    throw error;
  }
}
