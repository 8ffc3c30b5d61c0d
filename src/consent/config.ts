/** What terms are configured by; option names of `user_consent` in brackets. */
export interface ConsentConfig {
  /** [version] */
  version: string;
  /** [template_dir] Holds `en/<version>.html` and `en/success.html`. */
  templatesFolder: string;
  /** [server_notice_content] */
  noticeContent: Record<string, unknown> | null;
  /** [send_server_notice_to_guests] */
  notifiesGuests: boolean;
  /** [block_events_error] Null: nobody is kept from sending. */
  blockError: string | null;
}
