import type { Accounts } from '../accounts/module.ts';
import type { OutboundHttp } from '../outbound/outbound-http.ts';
import { createSingleSignOn, type SsoTerms } from '../sso/module.ts';
import type { Templates } from '../templates/module.ts';
import type { Foundation } from './domains.ts';

/** Log-in at identity providers. */
export function assembleSingleSignOn(
  foundation: Foundation,
  others: {
    accounts: Accounts;
    /** Null: new users accept none. */
    terms: SsoTerms | null;
    /** To the identity providers. */
    outbound: OutboundHttp;
    templates: Templates;
  },
) {
  const { config, database, clock, log } = foundation;
  const { accounts, terms, outbound, templates } = others;
  const singleSignOn = createSingleSignOn({
    config: {
      ...config.singleSignOn,
      serverName: config.serverName,
      baseUrl: config.publicBaseUrl ?? `https://${config.serverName}`,
      isBaseUrlKnown: config.publicBaseUrl !== null,
    },
    database,
    clock,
    log,
    accounts: accounts.services,
    templates,
    terms,
    outbound,
  });
  accounts.events.subscribe(singleSignOn.accountEvents);
  return singleSignOn;
}
