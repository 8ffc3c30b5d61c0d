import { MatrixError } from '../kernel/errors.ts';
import type { PasswordPolicy } from './config.ts';

/** Longer passwords would let anybody make the server hash megabytes. */
const passwordLengthMax = 512;

/** Throws M_WEAK_PASSWORD, or M_INVALID_PARAM when it is too long to be hashed. */
export function checkNewPassword(password: string, policy: PasswordPolicy | null): void {
  if (password.length > passwordLengthMax) {
    throw new MatrixError('M_INVALID_PARAM', 'Invalid password');
  }
  if (policy === null) return;
  const refuse = (message: string) => {
    throw new MatrixError('M_WEAK_PASSWORD', message);
  };
  if (password.length < policy.minimumLength) {
    refuse(`The password must be at least ${policy.minimumLength} characters long`);
  }
  if (policy.requireDigit && !/[0-9]/.test(password)) {
    refuse('The password must include at least one digit');
  }
  if (policy.requireSymbol && !/[^a-zA-Z0-9]/.test(password)) {
    refuse('The password must include at least one symbol');
  }
  if (policy.requireUppercase && !/[A-Z]/.test(password)) {
    refuse('The password must include at least one uppercase letter');
  }
  if (policy.requireLowercase && !/[a-z]/.test(password)) {
    refuse('The password must include at least one lowercase letter');
  }
}
