import type { Accounts } from '../accounts/module.ts';
import { createAuthPages } from '../auth-pages/module.ts';
import type { Consents } from '../consent/module.ts';
import { jsonAnswer } from '../http/json-client.ts';
import type { OutboundHttp } from '../outbound/outbound-http.ts';
import type { Templates } from '../templates/module.ts';
import type { Foundation } from './domains.ts';

/** Pages for clients that do not know a stage of authentication; captcha and terms. */
export function assembleAuthPages(
  { config }: Foundation,
  others: {
    accounts: Accounts;
    consents: Consents | null;
    outbound: OutboundHttp;
    templates: Templates;
  },
) {
  const { accounts, consents, outbound, templates } = others;
  const { consent } = config.notices;
  const baseUrl = config.publicBaseUrl ?? `https://${config.serverName}`;
  return createAuthPages({
    captcha: config.accounts.captcha,
    terms:
      consent && consents && consent.isNeededToRegister
        ? {
            version: consent.version,
            name: consent.policyName,
            url: `${baseUrl}/_matrix/consent?v=${encodeURIComponent(consent.version)}`,
            accept: (userNid) => consents.accept(userNid, consent.version),
          }
        : null,
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
}
