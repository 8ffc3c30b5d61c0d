import { duration, flag, list, port, secretTextOrNumber, text, textOrNumber } from './kinds.ts';
import { group, inert, option, optional, section, type ValuesOf } from './option.ts';
import type { OptionLoader } from './option-loader.ts';
import { readSecret } from './secret-file.ts';

const hourMs = 3_600_000;

const subjects = {
  message_from_person_in_room:
    '[%(app)s] You have a message on %(app)s from %(person)s in the %(room)s room...',
  message_from_person: '[%(app)s] You have a message on %(app)s from %(person)s...',
  messages_from_person: '[%(app)s] You have messages on %(app)s from %(person)s...',
  messages_in_room: '[%(app)s] You have messages on %(app)s in the %(room)s room...',
  messages_in_room_and_others:
    '[%(app)s] You have messages on %(app)s in the %(room)s room and others...',
  messages_from_person_and_others:
    '[%(app)s] You have messages on %(app)s from %(person)s and others...',
  invite_from_person: '[%(app)s] %(person)s has invited you to chat on %(app)s...',
  invite_from_person_to_room:
    '[%(app)s] %(person)s has invited you to join the %(room)s room on %(app)s...',
  invite_from_person_to_space:
    '[%(app)s] %(person)s has invited you to join the %(space)s space on %(app)s...',
  password_reset: '[%(server_name)s] Password reset',
  email_validation: '[%(server_name)s] Validate your email',
  email_already_in_use: '[%(server_name)s] Email already in use',
} as const;

const subjectOptions = Object.fromEntries(
  Object.entries(subjects).map(([name, value]) => [name, option(text, value, 'A subject.')]),
) as { readonly [K in keyof typeof subjects]: ReturnType<typeof option<string>> };

const mail = {
  smtp_host: option(text, 'localhost', 'The mail server that takes the mails.'),
  smtp_port: optional(port, 'Its port.', { defaultText: '`25`, with `force_tls` `465`' }),
  smtp_user: optional(textOrNumber, 'Name to log in there with.'),
  smtp_pass: optional(secretTextOrNumber, 'Password to log in there with.'),
  smtp_pass_path: optional(text, 'A file with that password, instead of the password itself.'),
  force_tls: option(flag, false, 'TLS from the first byte on.'),
  enable_tls: option(flag, true, 'Use TLS when the mail server offers it.'),
  require_transport_security: option(flag, false, 'Send nothing when there is no TLS.'),
  tlsname: optional(text, 'The name its certificate is checked against.', {
    defaultText: '`smtp_host`',
  }),
  notif_from: optional(text, 'Who the mails are from. `%(app)s` stands for `app_name`.', {
    example: '"%(app)s <noreply@example.org>"',
  }),
  app_name: option(text, 'Matrix', 'What the mails call the service.'),
  validation_token_lifetime: option(duration, hourMs, 'How long links in mails work.', {
    defaultText: '`1h`',
  }),
  enable_notifs: option(flag, false, 'Users may be told of missed messages by mail.'),
  notif_for_new_users: option(flag, true, 'New users with a mail address are.'),
  notif_delay_before_mail: option(duration, 600_000, 'How long after a message.', {
    defaultText: '`10m`',
  }),
  client_base_url: optional(text, 'The client that links in those mails lead to.'),
  invite_client_location: optional(text, 'The client that people invited by mail are sent to.'),
  subjects: group(subjectOptions, 'Subjects of mails.'),
  ...inert({
    riot_base_url: 'now `client_base_url`',
    template_dir: 'now `templates.custom_template_directory`',
  }),
};

export const emailSection = section('Mail', 'Mails to users, and pages that they lead to.', {
  email: group(mail, 'How mail is sent. Without this section none is.'),
  templates: group(
    {
      custom_template_directory: optional(
        text,
        'A folder of own templates of mails and pages. Files that it lacks are built in. In them ' +
          '`{{ name }}` stands for a value, `{% if name %} … {% else %} … {% endif %}` for a choice.',
      ),
    },
    'Own pages and mails.',
  ),
  request_token_inhibit_3pid_errors: option(
    flag,
    false,
    'Do not tell those who ask for a mail whether its address is known here.',
  ),
  next_link_domain_whitelist: optional(
    list(text),
    'Where people may be led after they have followed a link of a mail.',
    { defaultText: 'anywhere' },
  ),
});

type Mail = ValuesOf<typeof mail>;

function readMail(loader: OptionLoader, values: Mail) {
  const at = (name: string) => loader.at('email', name);
  if (values.notif_from === null) at('notif_from').problem('this option is needed to send mail');
  if (values.force_tls && !values.enable_tls) at('force_tls').problem('needs enable_tls');
  if (values.require_transport_security && !values.enable_tls) {
    at('require_transport_security').problem('needs enable_tls');
  }
  const { smtp_user: user } = values;
  const password = readSecret(
    loader,
    ['email', 'smtp_pass'],
    values.smtp_pass,
    values.smtp_pass_path,
  );
  return {
    host: values.smtp_host,
    port: values.smtp_port ?? (values.force_tls ? 465 : 25),
    login: user === null ? null : { user, password: password ?? '' },
    tls: values.force_tls
      ? ('always' as const)
      : values.require_transport_security
        ? ('required' as const)
        : values.enable_tls
          ? ('offered' as const)
          : ('never' as const),
    tlsName: values.tlsname ?? values.smtp_host,
    from: (values.notif_from ?? '').replaceAll('%(app)s', values.app_name),
    appName: values.app_name,
    tokenLifetimeMs: values.validation_token_lifetime,
    subjects: values.subjects,
    notifications: {
      isEnabled: values.enable_notifs,
      forNewUsers: values.notif_for_new_users,
      delayMs: values.notif_delay_before_mail,
      clientBaseUrl: values.client_base_url,
    },
    inviteClientLocation: values.invite_client_location,
  };
}

/** How mail is sent; `smtp` is null when it is not. */
export function readEmail(loader: OptionLoader, values: ValuesOf<typeof emailSection.options>) {
  const isGiven = loader.isGiven('email');
  return {
    smtp: isGiven ? readMail(loader, values.email) : null,
    templatesFolder: values.templates.custom_template_directory,
    hidesKnownAddresses: values.request_token_inhibit_3pid_errors,
    nextLinkDomains: values.next_link_domain_whitelist,
  };
}
