/** Rules for new passwords; spec of the answers: `M_WEAK_PASSWORD`. */
export interface PasswordPolicy {
  minimumLength: number;
  requireDigit: boolean;
  requireSymbol: boolean;
  requireLowercase: boolean;
  requireUppercase: boolean;
}

/** What accounts need of the configuration; option names of the file in brackets. */
export interface AccountsConfig {
  serverName: string;
  registration: {
    /** [enable_registration] */
    isEnabled: boolean;
    /** [registration_requires_token] */
    requiresToken: boolean;
    /** [enable_registration_captcha] */
    requiresCaptcha: boolean;
    /** [user_consent.require_at_registration] */
    requiresTerms: boolean;
    /** [registration_shared_secret] */
    sharedSecret: string | null;
    /** [allow_guest_access] */
    allowGuests: boolean;
    /** [inhibit_user_in_use_error] */
    inhibitUserInUseError: boolean;
    /** [allow_underscore_prefixed_registration] */
    allowUnderscorePrefix: boolean;
    /** [user_types.default_user_type] */
    defaultUserType: string | null;
    /** [user_types.extra_user_types] Types beside `bot` and `support`. */
    extraUserTypes: readonly string[];
  };
  /** [recaptcha_…]; null: there is none. */
  captcha: { publicKey: string; privateKey: string; verifyUrl: string } | null;
  password: {
    /** [password_config.enabled] `only_for_reauth`: not for log-in. */
    isEnabled: boolean | 'only_for_reauth';
    /** [password_config.localdb_enabled] */
    usesDatabase: boolean;
    /** [password_config.pepper] */
    pepper: string;
    /** [password_config.policy]; null when it is not enabled. */
    policy: PasswordPolicy | null;
  };
  /** Milliseconds; null: no end. */
  sessions: {
    /** [session_lifetime] */
    lifetimeMs: number | null;
    /** [refreshable_access_token_lifetime]; null: no refresh tokens are given. */
    refreshableTokenLifetimeMs: number | null;
    /** [refresh_token_lifetime] */
    refreshTokenLifetimeMs: number | null;
    /** [nonrefreshable_access_token_lifetime] */
    nonRefreshableTokenLifetimeMs: number | null;
  };
  /** [ui_auth.session_timeout] How long an interactive authentication is not asked for again. */
  uiAuthTimeoutMs: number;
  /** [login_via_existing_session] */
  loginToken: { isEnabled: boolean; requiresUiAuth: boolean; lifetimeMs: number };
  profiles: {
    /** [enable_set_displayname] */
    allowDisplayName: boolean;
    /** [enable_set_avatar_url] */
    allowAvatarUrl: boolean;
    /** [require_auth_for_profile_requests] */
    requireAuth: boolean;
    /** [limit_profile_requests_to_users_who_share_rooms] */
    onlyRoomMates: boolean;
    /** [allow_profile_lookup_over_federation] */
    allowFederation: boolean;
  };
  /** [account_validity.enabled] */
  accountsExpire: boolean;
  /** [track_appservice_user_ips] */
  tracksAppserviceUsers: boolean;
  /** [enable_3pid_changes] */
  allowThreepidChanges: boolean;
  /** [forget_rooms_on_leave] */
  forgetsRoomsOnLeave: boolean;
  /** [user_ips_max_age] How long the addresses of connections are kept, in milliseconds. */
  connectionsKeptMs: number;
  /** What `/.well-known/matrix/client` says, repeated in log-in answers; null: nothing. */
  wellKnown: Record<string, unknown> | null;
}

/** Defaults of every option. */
export function defaultAccountsConfig(serverName: string): AccountsConfig {
  const dayMs = 24 * 60 * 60 * 1000;
  return {
    serverName,
    registration: {
      isEnabled: false,
      requiresToken: false,
      requiresCaptcha: false,
      requiresTerms: false,
      sharedSecret: null,
      allowGuests: false,
      inhibitUserInUseError: false,
      allowUnderscorePrefix: false,
      defaultUserType: null,
      extraUserTypes: [],
    },
    captcha: null,
    password: { isEnabled: true, usesDatabase: true, pepper: '', policy: null },
    sessions: {
      lifetimeMs: null,
      refreshableTokenLifetimeMs: 5 * 60 * 1000,
      refreshTokenLifetimeMs: null,
      nonRefreshableTokenLifetimeMs: null,
    },
    uiAuthTimeoutMs: 0,
    loginToken: { isEnabled: false, requiresUiAuth: true, lifetimeMs: 5 * 60 * 1000 },
    profiles: {
      allowDisplayName: true,
      allowAvatarUrl: true,
      requireAuth: false,
      onlyRoomMates: false,
      allowFederation: true,
    },
    accountsExpire: false,
    tracksAppserviceUsers: false,
    allowThreepidChanges: true,
    forgetsRoomsOnLeave: false,
    connectionsKeptMs: 28 * dayMs,
    wellKnown: null,
  };
}
