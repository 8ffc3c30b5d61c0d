import type { Accounts } from '../accounts/module.ts';
import type { MediaRepository } from '../media/module.ts';
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
    outboundToAnybody: OutboundHttp;
    media: () => MediaRepository;
    templates: Templates;
  },
) {
  const { config, database, clock, log } = foundation;
  const { accounts, terms, outbound, outboundToAnybody, templates, media } = others;
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
    outboundToAnybody,
    savePicture: (userNid, bytes, contentType) =>
      media().save(bytes, { userNid, contentType, fileName: null }),
  });
  accounts.events.subscribe(singleSignOn.accountEvents);
  return singleSignOn;
}
