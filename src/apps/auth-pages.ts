import type { Accounts } from '../accounts/module.ts';
import { createAuthPages, type Terms } from '../auth-pages/module.ts';
import type { Consents } from '../consent/module.ts';
import { jsonAnswer } from '../http/json-client.ts';
import type { MediaRepository } from '../media/module.ts';
import { createOutboundHttp, type OutboundHttp } from '../outbound/outbound-http.ts';
import type { Templates } from '../templates/module.ts';
import type { Foundation } from './domains.ts';
import { assembleSingleSignOn } from './single-sign-on.ts';

/** The terms that new users accept; null: none. */
function termsOf({ config }: Foundation, consents: Consents | null): Terms | null {
  const { consent } = config.notices;
  if (!consent || !consents || !consent.isNeededToRegister) return null;
  const { version, policyName: name } = consent;
  const baseUrl = config.publicBaseUrl ?? `https://${config.serverName}`;
  return {
    version,
    name,
    url: `${baseUrl}/_matrix/consent?v=${encodeURIComponent(version)}`,
    accept: (userNid) => consents.accept(userNid, version),
  };
}

/**
 * Pages for clients that do not know a stage of authentication; captcha and terms; log-in at identity
 * providers.
 */
export function assembleAuthPages(
  foundation: Foundation,
  others: {
    accounts: Accounts;
    consents: Consents | null;
    outbound: OutboundHttp;
    templates: Templates;
    media: () => MediaRepository;
  },
) {
  const { accounts, consents, outbound, templates, media } = others;
  const outboundToConfigured = createOutboundHttp({ ...foundation.config.outbound, deny: [] });
  const terms = termsOf(foundation, consents);
  const singleSignOn = assembleSingleSignOn(foundation, {
    accounts,
    terms,
    outbound: outboundToConfigured,
    outboundToAnybody: outbound,
    media,
    templates,
  });
  const pages = createAuthPages({
    captcha: foundation.config.accounts.captcha,
    terms,
    ownPages: singleSignOn.stagePages,
    async postForm(url, form) {
      const answer = await outbound.fetch(url, {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
        body: form.toString(),
      });
      return jsonAnswer(answer.status, answer.body.toString('utf8')).json;
    },
    templates,
    accounts: accounts.services,
  });
  return {
    endpoints: [...pages.endpoints, ...singleSignOn.endpoints],
    tidy: () => singleSignOn.tidy(),
    close: () => outboundToConfigured.close(),
  };
}
