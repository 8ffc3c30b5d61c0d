import { readFileSync } from 'node:fs';
import { duration, flag, text } from './kinds.ts';
import { group, inert, option, optional, section, type ValuesOf } from './option.ts';
import type { OptionLoader } from './option-loader.ts';

const dayMs = 86_400_000;

export const registrationSection = section('Registration', 'Who gets an account, and how.', {
  enable_registration: option(
    flag,
    false,
    'Let people register by themselves. Needs `registration_requires_token`, or ' +
      '`enable_registration_without_verification` to say that anybody may.',
  ),
  enable_registration_without_verification: option(
    flag,
    false,
    'Let anybody register. Spammers find such servers within days.',
  ),
  registration_requires_token: option(
    flag,
    false,
    'Those who register need a token that an admin has handed out.',
  ),
  registration_shared_secret: optional(
    text,
    'Who knows it may register accounts, also admins: `lattice register-user` uses it.',
  ),
  registration_shared_secret_path: optional(
    text,
    'A file with that secret, instead of the secret itself.',
  ),
  allow_guest_access: option(flag, false, 'Guests, who need no account, may look into rooms.'),
  inhibit_user_in_use_error: option(
    flag,
    false,
    'Do not tell those who are about to register whether a name is taken.',
  ),
  allow_underscore_prefixed_registration: option(
    flag,
    false,
    'People may register names that begin with `_`, which bridges like to use.',
  ),
  enable_set_displayname: option(flag, true, 'Users may change their name.'),
  enable_set_avatar_url: option(flag, true, 'Users may change their picture.'),
  enable_3pid_changes: option(flag, true, 'Users may change their mail addresses and phones.'),
  user_types: group(
    {
      default_user_type: optional(text, 'The type of new users.'),
      ...inert({ extra_user_types: 'further types that admins may give' }),
    },
    'Types of users, for policies and other tools.',
  ),
  user_ips_max_age: option(
    duration,
    28 * dayMs,
    'How long the addresses that users came from are kept.',
    { defaultText: '`28d`' },
  ),
  ...inert({
    bcrypt_rounds: 'passwords are hashed with argon2id; bcrypt hashes are still accepted',
    auto_join_rooms: 'rooms that new users join',
    autocreate_auto_join_rooms: 'create those rooms',
    autocreate_auto_join_rooms_federated: 'with or without other servers',
    autocreate_auto_join_room_preset: 'their preset',
    auto_join_mxid_localpart: 'who invites to them',
    auto_join_rooms_for_guests: 'guests join them too',
    enable_registration_captcha: 'a captcha',
    recaptcha_public_key: 'its site key',
    recaptcha_public_key_path: 'a file with it',
    recaptcha_private_key: 'its secret key',
    recaptcha_private_key_path: 'a file with it',
    recaptcha_siteverify_api: 'where it is checked',
    delete_stale_devices_after: 'removal of devices nobody uses',
    dont_notify_new_devices_for: 'users whose new devices are not announced',
  }),
});

type Values = ValuesOf<typeof registrationSection.options>;

function readSharedSecret(loader: OptionLoader, values: Values): string | null {
  const secret = values.registration_shared_secret;
  const path = values.registration_shared_secret_path;
  if (path === null) return secret;
  const at = loader.at('registration_shared_secret_path');
  if (secret !== null) at.problem('registration_shared_secret is set too; only one of them may be');
  try {
    const content = readFileSync(path, 'utf8').trim();
    if (content === '') at.problem(`${path} is empty`);
    return content;
  } catch (error) {
    at.problem(`cannot be read: ${(error as Error).message}`);
    return null;
  }
}

export function readRegistration(loader: OptionLoader, values: Values, needsThreepid: boolean) {
  const isEnabled = values.enable_registration;
  const requiresToken = values.registration_requires_token;
  const isVerified = requiresToken || needsThreepid;
  if (isEnabled && !isVerified && !values.enable_registration_without_verification) {
    loader
      .at('enable_registration')
      .problem(
        'anybody could register; set registration_requires_token or registrations_require_3pid, or ' +
          'enable_registration_without_verification to allow it',
      );
  }
  return {
    isEnabled,
    requiresToken,
    sharedSecret: readSharedSecret(loader, values),
    allowGuests: values.allow_guest_access,
    inhibitUserInUseError: values.inhibit_user_in_use_error,
    allowUnderscorePrefix: values.allow_underscore_prefixed_registration,
    defaultUserType: values.user_types.default_user_type,
  };
}
