import { readFileSync } from 'node:fs';
import { duration, flag, mapping, oneOf, text, type Kind } from './kinds.ts';
import type { OptionReader } from './reader.ts';

const count: Kind<number> = {
  allowed: 'a whole number',
  read: (value) =>
    Number.isInteger(value) && (value as number) >= 0 ? (value as number) : undefined,
};

function readSharedSecret(reader: OptionReader): string | null {
  const secret = reader.take('registration_shared_secret', text, null);
  const path = reader.take('registration_shared_secret_path', text, null);
  if (path === null) return secret;
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    reader.problem('registration_shared_secret_path', `cannot be read: ${String(error)}`);
    return secret;
  }
}

function readPassword(reader: OptionReader) {
  const option = 'password_config';
  const fields = reader.take(option, mapping, {});
  const policy = reader.member(option, fields, 'policy', mapping, {});
  const requires = (name: string) => reader.member(option, policy, name, flag, false);
  return {
    isEnabled: reader.member(
      option,
      fields,
      'enabled',
      oneOf(true, false, 'only_for_reauth'),
      true,
    ),
    usesDatabase: reader.member(option, fields, 'localdb_enabled', flag, true),
    pepper: reader.member(option, fields, 'pepper', text, ''),
    policy: reader.member(option, policy, 'enabled', flag, false)
      ? {
          minimumLength: reader.member(option, policy, 'minimum_length', count, 0),
          requireDigit: requires('require_digit'),
          requireSymbol: requires('require_symbol'),
          requireLowercase: requires('require_lowercase'),
          requireUppercase: requires('require_uppercase'),
        }
      : null,
  };
}

/** What accounts, log-in and profiles are configured by. */
export function readAccounts(
  reader: OptionReader,
  serverName: string,
  publicBaseUrl: string | null,
  wellKnownClient: Record<string, unknown>,
) {
  const isEnabled = reader.take('enable_registration', flag, false);
  const isUnverified = reader.take('enable_registration_without_verification', flag, false);
  const requiresToken = reader.take('registration_requires_token', flag, false);
  if (isEnabled && !isUnverified && !requiresToken) {
    reader.problem(
      'enable_registration',
      'anybody could register; set registration_requires_token, or ' +
        'enable_registration_without_verification to allow it',
    );
  }
  const uiAuth = reader.take('ui_auth', mapping, {});
  const loginToken = reader.take('login_via_existing_session', mapping, {});
  const userTypes = reader.take('user_types', mapping, {});
  return {
    serverName,
    registration: {
      isEnabled,
      requiresToken,
      sharedSecret: readSharedSecret(reader),
      allowGuests: reader.take('allow_guest_access', flag, false),
      inhibitUserInUseError: reader.take('inhibit_user_in_use_error', flag, false),
      allowUnderscorePrefix: reader.take('allow_underscore_prefixed_registration', flag, false),
      defaultUserType: reader.member('user_types', userTypes, 'default_user_type', text, null),
    },
    password: readPassword(reader),
    sessions: {
      lifetimeMs: reader.take('session_lifetime', duration, null),
      refreshableTokenLifetimeMs: reader.take(
        'refreshable_access_token_lifetime',
        duration,
        300_000,
      ),
      refreshTokenLifetimeMs: reader.take('refresh_token_lifetime', duration, null),
      nonRefreshableTokenLifetimeMs: reader.take(
        'nonrefreshable_access_token_lifetime',
        duration,
        null,
      ),
    },
    uiAuthTimeoutMs: reader.member('ui_auth', uiAuth, 'session_timeout', duration, 0),
    loginToken: {
      isEnabled: reader.member('login_via_existing_session', loginToken, 'enabled', flag, false),
      requiresUiAuth: reader.member(
        'login_via_existing_session',
        loginToken,
        'require_ui_auth',
        flag,
        true,
      ),
      lifetimeMs: reader.member(
        'login_via_existing_session',
        loginToken,
        'token_timeout',
        duration,
        300_000,
      ),
    },
    profiles: {
      allowDisplayName: reader.take('enable_set_displayname', flag, true),
      allowAvatarUrl: reader.take('enable_set_avatar_url', flag, true),
      requireAuth: reader.take('require_auth_for_profile_requests', flag, false),
      onlyRoomMates: reader.take('limit_profile_requests_to_users_who_share_rooms', flag, false),
      allowFederation: reader.take('allow_profile_lookup_over_federation', flag, true),
    },
    allowThreepidChanges: reader.take('enable_3pid_changes', flag, true),
    forgetsRoomsOnLeave: reader.take('forget_rooms_on_leave', flag, false),
    connectionsKeptMs: reader.take('user_ips_max_age', duration, 28 * 86_400_000),
    wellKnown:
      publicBaseUrl === null
        ? null
        : { ...wellKnownClient, 'm.homeserver': { base_url: `${publicBaseUrl}/` } },
  };
}
