import type { Cookies } from '../cookies.ts';
import type { CasProvider } from '../cas/cas-provider.ts';
import type { IdentityProvider } from '../identity-provider.ts';
import type { SsoNeeds } from '../needs.ts';
import type { NewUsers } from '../new-users.ts';
import type { OidcProvider } from '../oidc/oidc-provider.ts';
import type { SignIn } from '../sign-in.ts';
import type { SsoUsers } from '../users.ts';

/** What the endpoints of this domain work with. */
export interface SsoServices extends SsoNeeds {
  /** All of them by id, in the order of the configuration. */
  providers: ReadonlyMap<string, IdentityProvider>;
  oidc: ReadonlyMap<string, OidcProvider>;
  cas: CasProvider | null;
  cookies: Cookies;
  signIn: SignIn;
  newUsers: NewUsers;
  /** The user who has this id at the provider; null: nobody. */
  known: SsoUsers['known'];
  /** Ends sessions here that began by a session there; of this user only, unless it is null. */
  endSessions(providerId: string, sessionId: string, userId: string | null): Promise<void>;
}

/** How templates see a provider. */
export const providerValues = ({ id, name, icon, brand }: IdentityProvider) => ({
  idp_id: id,
  idp_name: name,
  idp_icon: icon,
  idp_brand: brand,
});

/** Where all steps may be taken: by any worker. */
export const runsOn = { group: 'sso', balance: 'none' } as const;
