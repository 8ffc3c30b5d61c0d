/** What mail addresses and phone numbers are configured by; option names in brackets. */
export interface ThreepidsConfig {
  serverName: string;
  /** What links in mails begin with, without a slash at the end. [public_baseurl] */
  baseUrl: string;
  /** [enable_3pid_changes] */
  allowsChanges: boolean;
  /** [registrations_require_3pid] */
  required: readonly string[];
  /** [disable_msisdn_registration], reversed. */
  registersByPhone: boolean;
  /** [allowed_local_3pids]; empty: all. */
  allowed: readonly { medium: string; pattern: RegExp }[];
  /** [enable_registration_token_3pid_bypass] */
  tokenReplacesThreepid: boolean;
  /** [enable_3pid_lookup] */
  looksUp: boolean;
  /** [account_threepid_delegates.msisdn] URL without a slash at the end. */
  msisdnDelegate: string | null;
  /** [request_token_inhibit_3pid_errors] */
  hidesKnownAddresses: boolean;
  /** [next_link_domain_whitelist] Null: all. */
  nextLinkDomains: readonly string[] | null;
  /** Null: no mail is sent. [email] */
  mail: {
    tokenLifetimeMs: number;
    /** [invite_client_location] */
    inviteClientLocation: string | null;
    subjects: { password_reset: string; email_validation: string; email_already_in_use: string };
  } | null;
}
