/** How long accounts are valid; option names of `account_validity` in brackets. */
export interface AccountValidityConfig {
  /** [period] How long an account is valid once it was made or renewed. */
  periodMs: number;
  /** [renew_at] How long before the end a mail says so; null: no mails. */
  renewAtMs: number | null;
  /** [renew_email_subject] */
  subject: string;
  /** [account_renewed_html_path] */
  renewedTemplate: string;
  /** [invalid_token_html_path] */
  invalidTokenTemplate: string;
}
