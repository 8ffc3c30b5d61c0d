import type { Reply, RequestInfo } from '../http/endpoint.ts';
import type { Cookies } from './cookies.ts';
import { finishSignIn, redirect, withCookie } from './finish.ts';
import type { IdentityProvider, RemoteUser } from './identity-provider.ts';
import type { SsoNeeds } from './needs.ts';
import type { Pictures } from './pictures.ts';
import type { NewUserSession, SsoSessions } from './sessions.ts';
import { SsoError } from './sso-error.ts';
import type { SsoUsers } from './users.ts';

/** A session of a new user with where it is kept. */
export interface OpenNewUser {
  id: string;
  browser: string;
  session: NewUserSession;
  provider: IdentityProvider;
}

/** Asks those who come for the first time about their account, and makes it. */
export interface NewUsers {
  /** Makes the account, or sends the browser to the first question. */
  begin(
    provider: IdentityProvider,
    user: RemoteUser,
    clientUrl: string,
    browser: string,
  ): Promise<Reply>;
  /** Rejects with SsoError when the browser has no such session. */
  open(request: RequestInfo): Promise<OpenNewUser>;
  /** Keeps what was answered and sends the browser on. */
  proceed(opened: OpenNewUser): Promise<Reply>;
  /** Makes the account when all was answered. */
  register(opened: OpenNewUser): Promise<Reply>;
}

export interface NewUsersNeeds {
  needs: SsoNeeds;
  sessions: SsoSessions;
  cookies: Cookies;
  users: SsoUsers;
  pictures: Pictures;
  providers: ReadonlyMap<string, IdentityProvider>;
}

const base = '/_synapse/client';

export function createNewUsers(parts: NewUsersNeeds): NewUsers {
  const { needs, sessions, cookies, users, pictures, providers } = parts;
  const { terms } = needs;

  function nextStep({ chosen, acceptedTerms }: NewUserSession): string {
    if (chosen === null) return `${base}/pick_username/account_details`;
    if (terms && acceptedTerms !== terms.version) return `${base}/new_user_consent`;
    return `${base}/sso_register`;
  }

  async function makeAccount(provider: IdentityProvider, session: NewUserSession): Promise<string> {
    const { user, chosen } = session;
    const { displayName, picture } = user.attributes;
    const userId = await users.register(provider, user.externalId, {
      localpart: chosen!.localpart,
      displayName: chosen!.usesDisplayName ? displayName : null,
      emails: chosen!.emails,
    });
    const account = await needs.accounts.directory.byUserId(userId);
    if (account) {
      await terms?.accept(account.userNid);
      if (chosen!.usesPicture) pictures.take(account, picture);
    }
    return userId;
  }

  const finish = async (provider: IdentityProvider, session: NewUserSession) =>
    finishSignIn(needs, {
      provider,
      user: session.user,
      userId: await makeAccount(provider, session),
      clientUrl: session.clientUrl,
      isNew: true,
    });

  return {
    async begin(provider, user, clientUrl, browser) {
      const { localpart, confirmsLocalpart, emails } = user.attributes;
      const free = localpart === null ? null : await users.freeLocalpart(localpart);
      const session: NewUserSession = {
        providerId: provider.id,
        user: { ...user, attributes: { ...user.attributes, localpart: free } },
        clientUrl,
        chosen:
          free === null || confirmsLocalpart
            ? null
            : { localpart: free, usesDisplayName: true, usesPicture: true, emails },
        acceptedTerms: null,
      };
      if (session.chosen !== null && !terms) return finish(provider, session);
      const id = sessions.newId();
      await sessions.save('new_user', id, browser, session);
      return redirect(nextStep(session), cookies.newUser(id));
    },
    async open(request) {
      const [id, browser] = [cookies.newUserOf(request), cookies.browserOf(request)];
      const session =
        id === null || browser === null ? null : await sessions.load('new_user', id, browser);
      const provider = session && providers.get(session.providerId);
      if (!session || !provider) {
        throw new SsoError('bad_session', 'The session is unknown or too old: log in once more');
      }
      return { id: id!, browser: browser!, session, provider };
    },
    async proceed({ id, browser, session }) {
      await sessions.save('new_user', id, browser, session);
      return redirect(nextStep(session));
    },
    async register({ id, browser, session, provider }) {
      const step = nextStep(session);
      if (!step.endsWith('/sso_register')) return redirect(step);
      const reply = await finish(provider, session);
      await sessions.take('new_user', id, browser);
      return withCookie(reply, cookies.newUser(null));
    },
  };
}
