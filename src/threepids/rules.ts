import { MatrixError } from '../kernel/errors.ts';
import type { ThreepidsConfig } from './config.ts';

/** Whether users may have this address or number. */
export function isAllowed(
  { allowed }: Pick<ThreepidsConfig, 'allowed'>,
  medium: string,
  address: string,
): boolean {
  if (allowed.length === 0) return true;
  return allowed.some((rule) => rule.medium === medium && rule.pattern.test(address));
}

/** Throws M_THREEPID_DENIED. */
export function checkAllowed(config: ThreepidsConfig, medium: string, address: string): void {
  if (isAllowed(config, medium, address)) return;
  const what = medium === 'email' ? 'Your email domain' : 'This phone number';
  throw new MatrixError('M_THREEPID_DENIED', `${what} is not authorized on this server`);
}

/** Throws M_FORBIDDEN when users may not change their addresses. */
export function checkMayChange({ allowsChanges }: ThreepidsConfig): void {
  if (allowsChanges) return;
  throw new MatrixError('M_FORBIDDEN', '3PID changes are disabled on this server', { status: 400 });
}
