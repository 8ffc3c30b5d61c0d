import { mapping, rate, type Rate } from './kinds.ts';
import type { OptionReader } from './reader.ts';

/** The rc_* options. A rate that is so high that it cannot matter is no limit at all. */
const unlimited = 1_000_000;
const unlessUnlimited = (limit: Rate): Rate | null => (limit.perSecond >= unlimited ? null : limit);

export function readRateLimits(reader: OptionReader) {
  const simple = (name: string, perSecond: number, burst: number) => {
    const byDefault = { perSecond, burst };
    return unlessUnlimited(reader.take(name, rate(byDefault), byDefault));
  };
  /** An option whose members are rates. */
  const within = (name: string, member: string, perSecond: number, burst: number) => {
    const byDefault = { perSecond, burst };
    const fields = reader.take(name, mapping, {});
    return unlessUnlimited(reader.member(name, fields, member, rate(byDefault), byDefault));
  };
  return {
    message: simple('rc_message', 0.2, 10),
    registration: simple('rc_registration', 0.17, 3),
    registration_token_validity: simple('rc_registration_token_validity', 0.1, 5),
    login: within('rc_login', 'address', 0.003, 5),
    login_account: within('rc_login', 'account', 0.003, 5),
    login_failed: within('rc_login', 'failed_attempts', 0.17, 3),
    join: within('rc_joins', 'local', 0.1, 10),
    invite: within('rc_invites', 'per_issuer', 0.3, 10),
    room_creation: simple('rc_room_creation', 0.016, 10),
  };
}
