import { statement } from '../../database/statement.ts';

const isUsable = `(expiry_ts is null or expiry_ts > $2)
     and (uses_allowed is null or completed + pending < uses_allowed)`;

export const selectRegistrationTokenUsable = statement<
  [token: string, nowTs: number],
  { isUsable: boolean }
>(
  'accounts.registration_token_usable',
  `select ${isUsable} as "isUsable" from registration_tokens where token = $1`,
);

/** Counts a session in `pending`. No row: the token cannot be used (any more). */
export const holdRegistrationToken = statement<[token: string, nowTs: number], { token: string }>(
  'accounts.hold_registration_token',
  `update registration_tokens set pending = pending + 1
   where token = $1 and ${isUsable} returning token`,
);

export const completeRegistrationToken = statement<[token: string], object>(
  'accounts.complete_registration_token',
  `update registration_tokens set pending = greatest(pending - 1, 0), completed = completed + 1
   where token = $1`,
);
