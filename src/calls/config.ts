/** What calls are configured by; option names of the file in brackets. */
export interface CallsConfig {
  /** [turn_uris] */
  turnUris: readonly string[];
  /** [turn_shared_secret] */
  turnSecret: string | null;
  /** [turn_username], [turn_password] */
  turnLogin: { user: string; password: string } | null;
  /** [turn_user_lifetime] */
  turnLifetimeMs: number;
  /** [turn_allow_guests] */
  turnAllowsGuests: boolean;
  /** [matrix_rtc.transports] */
  rtcTransports: readonly Record<string, unknown>[];
}
