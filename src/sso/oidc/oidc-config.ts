import type { AttributeRequirement } from '../attributes.ts';

/** One of `oidc_providers`; option names in brackets. */
export interface OidcConfig {
  /** [idp_id] With `oidc-` before it. */
  id: string;
  name: string;
  icon: string | null;
  brand: string | null;
  issuer: string;
  /** [discover] */
  isDiscovered: boolean;
  /** [skip_verification] The other way round. */
  isChecked: boolean;
  clientId: string;
  clientSecret: string | null;
  /** [client_secret_jwt_key] A secret that is made anew, of a private key (PEM). */
  clientSecretJwt: {
    key: string;
    header: Readonly<Record<string, string>>;
    payload: Readonly<Record<string, string>>;
  } | null;
  clientAuthMethod: 'client_secret_basic' | 'client_secret_post' | 'none';
  /** [pkce_method] */
  pkce: 'auto' | 'always' | 'never';
  /** [id_token_signing_alg_values_supported] */
  algorithms: readonly string[] | null;
  scopes: readonly string[];
  authorizationEndpoint: string | null;
  tokenEndpoint: string | null;
  userinfoEndpoint: string | null;
  jwksUri: string | null;
  /** [user_profile_method] */
  usesUserinfo: boolean;
  redirectUri: string | null;
  /** [additional_authorization_parameters] */
  parameters: Readonly<Record<string, string>>;
  /** [passthrough_authorization_parameters] */
  passedThrough: readonly string[];
  /** [allow_existing_users] */
  adoptsExistingUsers: boolean;
  /** [enable_registration] */
  registersUsers: boolean;
  /** [user_mapping_provider] Templates. */
  mapping: {
    subject: string;
    localpart: string | null;
    confirmsLocalpart: boolean;
    displayName: string | null;
    email: string | null;
    picture: string;
    extra: Readonly<Record<string, string>>;
  };
  requirements: readonly AttributeRequirement[];
  /** [backchannel_logout_enabled] */
  logsOutByBackchannel: boolean;
  /** [backchannel_logout_ignore_sub] */
  ignoresSubjectAtLogout: boolean;
}
