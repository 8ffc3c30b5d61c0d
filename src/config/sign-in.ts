import { count, duration, flag, oneOf, orNull, textOrNumber } from './kinds.ts';
import { group, inert, option, optional, section, type ValuesOf } from './option.ts';
import type { OptionLoader } from './option-loader.ts';

const fiveMinutesMs = 300_000;
const fiveMinutes = { defaultText: '`5m`' };
const noEnd = { defaultText: 'no end' };
const needs = (what: string) => option(flag, false, `New passwords need ${what}.`);

const passwords = {
  enabled: option(
    oneOf(true, false, 'only_for_reauth'),
    true,
    'Log-in with passwords; `only_for_reauth`: only to confirm what a session does.',
  ),
  localdb_enabled: option(flag, true, 'Passwords in the server’s own database count.'),
  pepper: option(
    textOrNumber,
    '',
    'A secret that is added to every password. When it changes, no password fits any more.',
    { defaultText: 'none' },
  ),
  policy: group(
    {
      enabled: option(flag, false, 'Whether the rules hold.'),
      minimum_length: option(count, 0, 'The fewest characters of new passwords.'),
      require_digit: needs('a digit'),
      require_symbol: needs('a character that is no letter and no digit'),
      require_lowercase: needs('a small letter'),
      require_uppercase: needs('a capital letter'),
    },
    'Rules for new passwords.',
  ),
};

export const signInSection = section('Sign-in', 'How people come in and for how long.', {
  password_config: group(passwords, 'Passwords.'),
  session_lifetime: optional(duration, 'How long a log-in lasts at the most.', noEnd),
  refreshable_access_token_lifetime: option(
    orNull(duration),
    fiveMinutesMs,
    'How long an access token lasts that has a refresh token; null: refresh tokens are not given.',
    fiveMinutes,
  ),
  refresh_token_lifetime: optional(duration, 'How long an unused refresh token lasts.', noEnd),
  nonrefreshable_access_token_lifetime: optional(
    duration,
    'How long an access token lasts that has no refresh token.',
    noEnd,
  ),
  ui_auth: group(
    {
      session_timeout: option(
        duration,
        0,
        'For how long somebody who has given the password is not asked again.',
      ),
    },
    'Authentication of single actions.',
  ),
  login_via_existing_session: group(
    {
      enabled: option(flag, false, 'Whether it is on.'),
      require_ui_auth: option(flag, true, 'The password is asked for.'),
      token_timeout: option(
        duration,
        fiveMinutesMs,
        'How long the token can be used.',
        fiveMinutes,
      ),
    },
    'A session may make a token that logs another device in, as with a QR code.',
  ),
  ...inert({
    macaroon_secret_key: 'signs short-lived tokens, which are in the database here',
    macaroon_secret_key_path: 'a file with it',
    matrix_authentication_service: 'log-in by that service',
    jwt_config: 'log-in with JSON web tokens',
    saml2_config: 'log-in by SAML',
  }),
});

type Values = ValuesOf<typeof signInSection.options>;

function readPassword({ password_config: given }: Values) {
  const { policy } = given;
  return {
    isEnabled: given.enabled,
    usesDatabase: given.localdb_enabled,
    pepper: given.pepper,
    policy: policy.enabled
      ? {
          minimumLength: policy.minimum_length,
          requireDigit: policy.require_digit,
          requireSymbol: policy.require_symbol,
          requireLowercase: policy.require_lowercase,
          requireUppercase: policy.require_uppercase,
        }
      : null,
  };
}

const partialLifetimes = [
  'refresh_token_lifetime',
  'nonrefreshable_access_token_lifetime',
] as const satisfies readonly (keyof Values)[];

export function readSignIn(loader: OptionLoader, values: Values) {
  const whole = values.session_lifetime;
  for (const name of partialLifetimes) {
    const part = values[name];
    if (whole !== null && part !== null && part > whole) {
      loader.at(name).problem('must not be longer than session_lifetime');
    }
  }
  const loginToken = values.login_via_existing_session;
  return {
    password: readPassword(values),
    sessions: {
      lifetimeMs: whole,
      refreshableTokenLifetimeMs: values.refreshable_access_token_lifetime,
      refreshTokenLifetimeMs: values.refresh_token_lifetime,
      nonRefreshableTokenLifetimeMs: values.nonrefreshable_access_token_lifetime,
    },
    uiAuthTimeoutMs: values.ui_auth.session_timeout,
    loginToken: {
      isEnabled: loginToken.enabled,
      requiresUiAuth: loginToken.require_ui_auth,
      lifetimeMs: loginToken.token_timeout,
    },
  };
}
