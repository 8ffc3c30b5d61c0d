import type { CasConfig } from './cas/cas-provider.ts';
import type { OidcConfig } from './oidc/oidc-config.ts';

/** What single sign-on is configured by; option names in brackets. */
export interface SsoConfig {
  serverName: string;
  /** Of this server, without a slash at the end. */
  baseUrl: string;
  /** Whether the address is configured, so that browsers at another are sent there first. */
  isBaseUrlKnown: boolean;
  /** [oidc_providers] */
  oidc: readonly OidcConfig[];
  /** [cas_config] */
  cas: CasConfig | null;
  /** [sso.client_whitelist] Beginnings of addresses of clients that get tokens without a question. */
  trustedClients: readonly string[];
  /** [sso.update_profile_information] */
  updatesProfiles: boolean;
}
