import type { OwnStagePage } from '../auth-pages/module.ts';
import { htmlPage } from '../http/html-page.ts';
import { parseQuery } from '../http/query.ts';
import { pageOr } from './endpoints/page.ts';
import { providerValues, type SsoServices } from './endpoints/services.ts';
import { withCookie } from './finish.ts';
import { SsoError } from './sso-error.ts';

/**
 * The page that tells a user what is about to be confirmed, and leads to the provider. Source: CS
 * 1.19, "SSO during User-Interactive Authentication".
 */
export function createStagePage(
  services: SsoServices,
  providersOf: (userId: string) => Promise<ReadonlySet<string>>,
): OwnStagePage {
  const { providers, signIn, templates, config } = services;
  return (sessionId, { userId, description }, request) =>
    pageOr(services, async () => {
      const known = await providersOf(userId);
      const provider = [...providers.values()].find(({ id }) => known.has(id));
      if (!provider) {
        throw new SsoError('unknown_idp', 'You have no account at an identity provider');
      }
      const purpose = { uiAuthSession: sessionId };
      const query = parseQuery(request.url);
      const { url, cookie } = await signIn.depart(provider, request, query, purpose);
      const html = await templates.render('sso_auth_confirm.html', {
        server_name: config.serverName,
        description,
        redirect_url: url,
        idp: providerValues(provider),
      });
      return withCookie(htmlPage(html), cookie);
    });
}
