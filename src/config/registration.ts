import { duration, flag, list, secretText, text } from './kinds.ts';
import { group, inert, option, optional, section, type ValuesOf } from './option.ts';
import type { OptionLoader } from './option-loader.ts';
import { readSecret } from './secret-file.ts';

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
    secretText,
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
      extra_user_types: option(
        list(text),
        [],
        'Types that admins may give to users beside `bot` and `support`.',
      ),
    },
    'Types of users, for policies and other tools.',
  ),
  user_ips_max_age: option(
    duration,
    28 * dayMs,
    'How long the addresses that users came from are kept.',
    { defaultText: '`28d`' },
  ),
  enable_registration_captcha: option(
    flag,
    false,
    'Those who register solve a captcha. Needs `recaptcha_public_key` and `recaptcha_private_key`.',
  ),
  recaptcha_public_key: optional(text, 'The site key of the captcha.'),
  recaptcha_public_key_path: optional(text, 'A file with that key, instead of the key itself.'),
  recaptcha_private_key: optional(secretText, 'The secret key of the captcha.'),
  recaptcha_private_key_path: optional(text, 'A file with that key, instead of the key itself.'),
  recaptcha_siteverify_api: option(
    text,
    'https://www.recaptcha.net/recaptcha/api/siteverify',
    'Where solved captchas are checked.',
  ),
  ...inert({
    bcrypt_rounds: 'passwords are hashed with argon2id; bcrypt hashes are still accepted',
    auto_join_rooms: 'rooms that new users join',
    autocreate_auto_join_rooms: 'create those rooms',
    autocreate_auto_join_rooms_federated: 'with or without other servers',
    autocreate_auto_join_room_preset: 'their preset',
    auto_join_mxid_localpart: 'who invites to them',
    auto_join_rooms_for_guests: 'guests join them too',
    delete_stale_devices_after: 'removal of devices nobody uses',
    dont_notify_new_devices_for: 'users whose new devices are not announced',
  }),
});

type Values = ValuesOf<typeof registrationSection.options>;

export function readRegistration(
  loader: OptionLoader,
  values: Values,
  others: { needsThreepid: boolean; requiresTerms: boolean },
) {
  const isEnabled = values.enable_registration;
  const requiresToken = values.registration_requires_token;
  const requiresCaptcha = values.enable_registration_captcha;
  const isVerified = requiresToken || requiresCaptcha || others.needsThreepid;
  if (isEnabled && !isVerified && !values.enable_registration_without_verification) {
    loader
      .at('enable_registration')
      .problem(
        'anybody could register; set registration_requires_token, registrations_require_3pid ' +
          'or enable_registration_captcha, or enable_registration_without_verification to allow it',
      );
  }
  return {
    isEnabled,
    requiresToken,
    requiresCaptcha,
    requiresTerms: others.requiresTerms,
    sharedSecret: readSecret(
      loader,
      ['registration_shared_secret'],
      values.registration_shared_secret,
      values.registration_shared_secret_path,
    ),
    allowGuests: values.allow_guest_access,
    inhibitUserInUseError: values.inhibit_user_in_use_error,
    allowUnderscorePrefix: values.allow_underscore_prefixed_registration,
    defaultUserType: values.user_types.default_user_type,
    extraUserTypes: values.user_types.extra_user_types,
  };
}

/** The captcha that those who register solve; null: none. */
export function readCaptcha(loader: OptionLoader, values: Values) {
  const [publicKey, privateKey] = (['recaptcha_public_key', 'recaptcha_private_key'] as const).map(
    (name) => {
      const key = readSecret(loader, [name], values[name], values[`${name}_path`]);
      if (values.enable_registration_captcha && key === null) {
        loader.at('enable_registration_captcha').problem(`needs ${name}`);
      }
      return key ?? '';
    },
  ) as [string, string];
  const verifyUrl = values.recaptcha_siteverify_api;
  if (!/^https?:\/\//.test(verifyUrl) || !URL.canParse(verifyUrl)) {
    loader.at('recaptcha_siteverify_api').problem('must begin with https:// or http://');
  }
  return values.enable_registration_captcha ? { publicKey, privateKey, verifyUrl } : null;
}
