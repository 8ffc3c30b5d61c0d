import { flag, list, oneOf, text } from './kinds.ts';
import { group, mappingOf, option, optional, section, type ValuesOf } from './option.ts';
import type { OptionLoader } from './option-loader.ts';

const pattern = {
  medium: option(oneOf('email', 'msisdn'), 'email', '`email` or `msisdn`, a phone number.'),
  pattern: option(text, '.*', 'A regular expression of allowed addresses or numbers.'),
};

export const threepidsSection = section(
  'Mail addresses and phone numbers',
  'Which ones users may have, and who proves that they are theirs.',
  {
    registrations_require_3pid: option(
      list(oneOf('email', 'msisdn')),
      [],
      'What one needs to register: a mail address (`email`), a phone number (`msisdn`).',
      { example: '[email]' },
    ),
    disable_msisdn_registration: option(flag, false, 'Nobody registers by a phone number.'),
    allowed_local_3pids: option(
      list(mappingOf(pattern)),
      [],
      'The addresses and numbers that users may have; without patterns all.',
      {
        members: pattern,
        defaultText: 'all',
        example: "\n  - medium: email\n    pattern: '^[^@]+@example\\.org$'",
      },
    ),
    enable_registration_token_3pid_bypass: option(
      flag,
      false,
      'Who has a registration token needs neither address nor number.',
    ),
    enable_3pid_lookup: option(
      flag,
      true,
      'Invites by mail address or phone number ask the identity server for the user.',
    ),
    default_identity_server: optional(text, 'An identity server that clients are told of.', {
      example: 'https://matrix.org',
    }),
    account_threepid_delegates: group(
      { msisdn: optional(text, 'The URL of an identity server that validates phone numbers.') },
      'Other servers that validate addresses and numbers.',
    ),
  },
);

type Values = ValuesOf<typeof threepidsSection.options>;

function regexOf(loader: OptionLoader, index: number, source: string): RegExp {
  try {
    return new RegExp(`^(?:${source})`);
  } catch (error) {
    loader
      .at('allowed_local_3pids', index, 'pattern')
      .problem(`is no regular expression: ${(error as Error).message}`);
    return /^$/;
  }
}

/** Nobody could register if what is required could not be proven. */
function checkRequired(loader: OptionLoader, values: Values): void {
  const at = loader.at('registrations_require_3pid');
  const { registrations_require_3pid: required, account_threepid_delegates: delegates } = values;
  if (required.includes('email') && !loader.isGiven('email')) {
    at.problem('email is required, and no mail is sent: set email too');
  }
  if (required.includes('msisdn') && delegates.msisdn === null) {
    at.problem('msisdn is required, and cannot be validated: set account_threepid_delegates too');
  }
}

/** What mail addresses and phone numbers of accounts are configured by. */
export function readThreepids(loader: OptionLoader, values: Values) {
  checkRequired(loader, values);
  return {
    required: values.registrations_require_3pid,
    registersByPhone: !values.disable_msisdn_registration,
    allowed: values.allowed_local_3pids.map((one, i) => ({
      medium: one.medium,
      pattern: regexOf(loader, i, one.pattern),
    })),
    tokenReplacesThreepid: values.enable_registration_token_3pid_bypass,
    looksUp: values.enable_3pid_lookup,
    defaultIdentityServer: values.default_identity_server,
    msisdnDelegate: values.account_threepid_delegates.msisdn?.replace(/\/+$/, '') ?? null,
  };
}
