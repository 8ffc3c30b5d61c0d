import { duration, flag, list, mapping, secretTextOrNumber, text, textOrNumber } from './kinds.ts';
import { group, option, optional, section, type ValuesOf } from './option.ts';
import type { OptionLoader } from './option-loader.ts';
import { readSecret } from './secret-file.ts';

export const callsSection = section('Calls', 'Voice and video.', {
  turn_uris: option(list(text), [], 'TURN servers, which calls go through.', {
    example: "['turn:turn.example.org?transport=udp', 'turn:turn.example.org?transport=tcp']",
  }),
  turn_shared_secret: optional(
    secretTextOrNumber,
    'The secret shared with the TURN servers. Users get credentials of their own that are made of it.',
  ),
  turn_shared_secret_path: optional(text, 'A file with that secret, instead of the secret itself.'),
  turn_username: optional(textOrNumber, 'A user name for all, where there is no shared secret.'),
  turn_password: optional(secretTextOrNumber, 'Its password.'),
  turn_user_lifetime: option(duration, 3_600_000, 'How long credentials are good for.', {
    defaultText: '`1h`',
  }),
  turn_allow_guests: option(flag, true, 'Guests get credentials too.'),
  matrix_rtc: group(
    {
      transports: option(
        list(mapping),
        [],
        'What calls of MatrixRTC can go through, the preferred one first; clients are told as it is.',
        {
          example:
            '\n  - type: livekit\n    livekit_service_url: https://livekit.example.org/livekit/jwt',
        },
      ),
    },
    'Calls of many (MSC4143).',
  ),
});

/** What calls are configured by. */
export function readCalls(loader: OptionLoader, values: ValuesOf<typeof callsSection.options>) {
  for (const [i, transport] of values.matrix_rtc.transports.entries()) {
    const at = loader.at('matrix_rtc', 'transports', i);
    if (typeof transport['type'] !== 'string') at.problem('needs a type');
    else if (transport['type'] === 'livekit' && !transport['livekit_service_url']) {
      at.problem('needs livekit_service_url');
    }
  }
  return {
    turnUris: values.turn_uris,
    turnSecret: readSecret(
      loader,
      ['turn_shared_secret'],
      values.turn_shared_secret,
      values.turn_shared_secret_path,
    ),
    turnLogin:
      values.turn_username !== null && values.turn_password !== null
        ? { user: values.turn_username, password: values.turn_password }
        : null,
    turnLifetimeMs: values.turn_user_lifetime,
    turnAllowsGuests: values.turn_allow_guests,
    rtcTransports: values.matrix_rtc.transports,
  };
}
