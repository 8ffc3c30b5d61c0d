import { Reply } from '../http/endpoint.ts';
import { htmlPage } from '../http/html-page.ts';
import type { IdentityProvider, RemoteUser } from './identity-provider.ts';
import type { SsoNeeds } from './needs.ts';
import { displayUrl, withLoginToken } from './redirects.ts';
import { SsoError } from './sso-error.ts';

/** How long the client has to log in with the token. */
const loginTokenLifetimeMs = 2 * 60 * 1000;

/** Sends a browser on. */
export function redirect(location: string, setCookie?: string): Reply {
  return new Reply(302, '', {
    Location: location,
    'Cache-Control': 'no-store',
    'Referrer-Policy': 'no-referrer',
    ...(setCookie === undefined ? {} : { 'Set-Cookie': setCookie }),
  });
}

/** The reply with a cookie. */
export const withCookie = ({ status, body, headers }: Reply, setCookie: string): Reply =>
  new Reply(status, body, { ...headers, 'Set-Cookie': setCookie });

export interface Finished {
  provider: IdentityProvider;
  user: Pick<RemoteUser, 'sessionId' | 'extra'>;
  userId: string;
  clientUrl: string;
  /** The account was made just now. */
  isNew: boolean;
}

/**
 * It is known who the user is: the browser goes back to the client with a log-in token, after a
 * question when the client is not one that the admin has named.
 */
export async function finishSignIn(needs: SsoNeeds, finished: Finished): Promise<Reply> {
  const { accounts, templates, config } = needs;
  const { provider, user, userId, clientUrl, isNew } = finished;
  const account = await accounts.directory.byUserId(userId);
  if (!account) throw new SsoError('mapping_error', 'The account is gone', 403);
  if (account.isDeactivated) {
    return htmlPage(await templates.render('sso_account_deactivated.html', {}), 403);
  }
  const { login_token: token } = await accounts.loginTokens.issue(account, {
    lifetimeMs: loginTokenLifetimeMs,
    provider: { id: provider.id, sessionId: user.sessionId },
    extra: user.extra,
  });
  const redirectUrl = withLoginToken(clientUrl, token);
  if (config.trustedClients.some((client) => clientUrl.startsWith(client))) {
    return redirect(redirectUrl);
  }
  const profiles = await accounts.profiles.memberProfiles([account.userNid]);
  const profile = profiles.get(account.userNid);
  const html = await templates.render('sso_redirect_confirm.html', {
    server_name: config.serverName,
    redirect_url: redirectUrl,
    display_url: displayUrl(clientUrl),
    new_user: isNew,
    user_id: userId,
    user_profile: {
      display_name: profile?.displayname ?? null,
      avatar_url: profile?.avatar_url ?? null,
    },
  });
  return htmlPage(html);
}
