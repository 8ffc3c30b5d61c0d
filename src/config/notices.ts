import { resolve } from 'node:path';
import { flag, mapping, secretText, text, textOrNumber } from './kinds.ts';
import { group, option, optional, section, type ValuesOf } from './option.ts';
import type { OptionLoader } from './option-loader.ts';
import { readSecret } from './secret-file.ts';

export const noticesSection = section('Notices and terms', 'What the server has to say to users.', {
  server_notices: group(
    {
      system_mxid_localpart: optional(text, 'Whom notices are from; without it there are none.', {
        example: 'notices',
      }),
      system_mxid_display_name: optional(text, 'The name of that user.'),
      system_mxid_avatar_url: optional(text, 'Its picture, an `mxc://` URL.'),
      room_name: option(text, 'Server Notices', 'The name of the room of notices.'),
      room_avatar_url: optional(text, 'Its picture.'),
      room_topic: optional(text, 'Its topic.'),
      auto_join: option(flag, false, 'Users join the room by themselves.'),
    },
    'Notices that admins send, in a room of their own for each user.',
  ),
  user_consent: group(
    {
      template_dir: option(
        text,
        'privacy_policy',
        'A folder with the terms as templates, `en/<version>.html`, and `en/success.html`.',
      ),
      version: optional(textOrNumber, 'The version of the terms that is to be accepted.', {
        example: "'1.0'",
      }),
      server_notice_content: optional(
        mapping,
        'A message that asks to accept them. `%(consent_uri)s` stands for the link.',
        { example: "\n    msgtype: m.text\n    body: 'Please read %(consent_uri)s'" },
      ),
      send_server_notice_to_guests: option(flag, false, 'Guests are asked too.'),
      block_events_error: optional(
        text,
        'The error for those who send something before they have accepted. Without it all may. ' +
          '`%(consent_uri)s` stands for the link.',
      ),
      require_at_registration: option(flag, false, 'New users accept the terms to register.'),
      policy_name: option(text, 'Privacy Policy', 'What the terms are called.'),
    },
    'Terms that users have to accept.',
  ),
  form_secret: optional(secretText, 'Signs links to the page of terms.', {
    defaultText: 'made of the signing key',
  }),
  form_secret_path: optional(text, 'A file with that secret, instead of the secret itself.'),
});

type Values = ValuesOf<typeof noticesSection.options>;

function readConsent(loader: OptionLoader, values: Values, folder: string) {
  const given = values.user_consent;
  const { version } = given;
  if (version === null) {
    if (loader.isGiven('user_consent')) {
      loader.at('user_consent', 'version').problem('this option is needed');
    }
    return null;
  }
  if (given.server_notice_content && values.server_notices.system_mxid_localpart === null) {
    loader.at('user_consent', 'server_notice_content').problem('needs server_notices');
  }
  return {
    version,
    templatesFolder: resolve(folder, given.template_dir),
    noticeContent: given.server_notice_content,
    notifiesGuests: given.send_server_notice_to_guests,
    blockError: given.block_events_error,
    isNeededToRegister: given.require_at_registration,
    policyName: given.policy_name,
  };
}

/** What notices and terms are configured by; either is null when it is not configured. */
export function readNotices(loader: OptionLoader, values: Values, folder: string) {
  const notices = values.server_notices;
  return {
    serverNotices:
      notices.system_mxid_localpart === null
        ? null
        : {
            localpart: notices.system_mxid_localpart,
            displayName: notices.system_mxid_display_name,
            avatarUrl: notices.system_mxid_avatar_url,
            roomName: notices.room_name,
            roomAvatarUrl: notices.room_avatar_url,
            roomTopic: notices.room_topic,
            joinsByItself: notices.auto_join,
          },
    consent: readConsent(loader, values, folder),
    formSecret: readSecret(loader, ['form_secret'], values.form_secret, values.form_secret_path),
  };
}
