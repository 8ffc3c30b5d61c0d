import type { Reply, RequestInfo } from '../http/endpoint.ts';
import { htmlPage } from '../http/html-page.ts';
import { meetsRequirements } from './attributes.ts';
import { checkedUser } from './checked-user.ts';
import type { Cookies } from './cookies.ts';
import { finishSignIn } from './finish.ts';
import type { IdentityProvider, RemoteUser } from './identity-provider.ts';
import type { SsoNeeds } from './needs.ts';
import type { NewUsers } from './new-users.ts';
import type { Pictures } from './pictures.ts';
import { sessionLifetimeMs, type SignInSession, type SsoSessions } from './sessions.ts';
import { SsoError } from './sso-error.ts';
import type { SsoUsers } from './users.ts';

export const ssoStage = 'm.login.sso';

type Query = Readonly<Record<string, string | undefined>>;

/** Browsers on their way to a provider and back. */
export interface SignIn {
  /** Where the browser goes, and the `Set-Cookie` header by which it is known again. */
  depart(
    provider: IdentityProvider,
    request: RequestInfo,
    query: Query,
    purpose: SignInSession['purpose'],
  ): Promise<{ url: string; cookie: string }>;
  /** The session that comes back with a browser; once. Rejects with SsoError. */
  arrive(request: RequestInfo, state: string | null): Promise<SignInSession>;
  /** The provider has said who the user is. Rejects with SsoError. */
  complete(
    provider: IdentityProvider,
    user: RemoteUser,
    session: SignInSession,
    request: RequestInfo,
  ): Promise<Reply>;
}

export interface SignInNeeds {
  needs: SsoNeeds;
  sessions: SsoSessions;
  cookies: Cookies;
  users: SsoUsers;
  newUsers: NewUsers;
  pictures: Pictures;
}

export function createSignIn(parts: SignInNeeds): SignIn {
  const { needs, sessions, cookies, users, newUsers, pictures } = parts;
  const { accounts, templates, config } = needs;

  /** A stage of interactive authentication: it has to be the user whose request it is. */
  async function completeStage(
    provider: IdentityProvider,
    user: RemoteUser,
    uiAuthSession: string,
  ): Promise<Reply> {
    const pending = await accounts.uiAuth.pending(uiAuthSession, ssoStage);
    if (pending) {
      const userId = await users.known(provider, user.externalId);
      if (userId !== pending.userId) {
        const values = { server_name: config.serverName, user_id_to_verify: pending.userId };
        return htmlPage(await templates.render('sso_auth_bad_user.html', values), 403);
      }
      await accounts.uiAuth.completeStage(uiAuthSession, ssoStage, userId);
    }
    return htmlPage(await templates.render('sso_auth_success.html', {}));
  }

  async function updateProfile(userId: string, { attributes }: RemoteUser): Promise<void> {
    if (!config.updatesProfiles) return;
    const account = await accounts.directory.byUserId(userId);
    if (!account || account.isDeactivated) return;
    const { displayName, picture } = attributes;
    if (displayName !== null) {
      const how = { propagate: true };
      await accounts.profiles.setField(account, 'displayname', displayName, how);
    }
    pictures.take(account, picture);
  }

  return {
    async depart(provider, request, query, purpose) {
      const id = sessions.newId();
      const { url, kept } = await provider.depart(id, query);
      const { secret, header } = cookies.beginBrowser(request, sessionLifetimeMs.sign_in);
      await sessions.save('sign_in', id, secret, { providerId: provider.id, kept, purpose });
      return { url, cookie: header };
    },
    async arrive(request, state) {
      const browser = cookies.browserOf(request);
      if (browser === null) throw new SsoError('missing_session', 'No session cookie found');
      if (state === null) throw new SsoError('invalid_request', 'State parameter is missing');
      const session = await sessions.take('sign_in', state, browser);
      if (session) return session;
      throw new SsoError('invalid_session', 'The session is unknown or too old: log in once more');
    },
    async complete(provider, given, { purpose }, request) {
      const user = checkedUser(given);
      if ('uiAuthSession' in purpose) return completeStage(provider, user, purpose.uiAuthSession);
      if (!meetsRequirements(user.claims, provider.requirements)) {
        throw new SsoError('unauthorised', 'You are not authorised to log in here', 403);
      }
      const { clientUrl } = purpose;
      const userId = await users.find(provider, user);
      if (userId !== null) {
        await updateProfile(userId, user);
        return finishSignIn(needs, { provider, user, userId, clientUrl, isNew: false });
      }
      if (!provider.registersUsers) {
        const text = 'User does not exist and registrations are disabled';
        throw new SsoError('mapping_error', text, 403);
      }
      return newUsers.begin(provider, user, clientUrl, cookies.browserOf(request)!);
    },
  };
}
