import { duration, flag, text } from './kinds.ts';
import { group, inert, option, optional, section, type ValuesOf } from './option.ts';
import type { OptionLoader } from './option-loader.ts';

export const accountValiditySection = section('Account validity', 'Accounts that expire.', {
  account_validity: group(
    {
      enabled: option(flag, false, 'Accounts expire unless they are renewed.'),
      period: optional(duration, 'How long an account is valid once it was made or renewed.', {
        example: '6w',
      }),
      renew_at: optional(
        duration,
        'How long before the end a mail with a link says so. Without it there are no mails.',
        { example: '1w' },
      ),
      renew_email_subject: option(text, 'Renew your %(app)s account', 'The subject of that mail.'),
      account_renewed_html_path: option(text, 'account_renewed.html', 'The page after renewing.'),
      invalid_token_html_path: option(text, 'invalid_token.html', 'The page for wrong links.'),
      ...inert({ template_dir: 'now `templates.custom_template_directory`' }),
    },
    'How long accounts are valid.',
  ),
});

/** How long accounts are valid; null: for ever. */
export function readAccountValidity(
  loader: OptionLoader,
  { account_validity: values }: ValuesOf<typeof accountValiditySection.options>,
) {
  if (!values.enabled) return null;
  if (values.period === null) {
    loader.at('account_validity', 'period').problem('this option is needed');
    return null;
  }
  return {
    periodMs: values.period,
    renewAtMs: values.renew_at,
    subject: values.renew_email_subject,
    renewedTemplate: values.account_renewed_html_path,
    invalidTokenTemplate: values.invalid_token_html_path,
  };
}
