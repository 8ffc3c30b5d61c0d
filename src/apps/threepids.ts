import type { Accounts } from '../accounts/module.ts';
import { createEmail } from '../email/module.ts';
import { createTemplates } from '../templates/module.ts';
import type { SendJson } from '../http/json-client.ts';
import { createThreepids } from '../threepids/module.ts';
import type { Foundation } from './domains.ts';

/** Until there is a client that keeps out of inner networks nothing is asked. */
const sendOutside: SendJson = async ({ url }) => {
  throw new Error(`no request is made to ${url}`);
};

/** Mail, templates, and the mail addresses and phone numbers of accounts. */
export function assembleThreepids(
  { config, database, clock, log, limiter, signingKey }: Foundation,
  accounts: () => Accounts,
) {
  const { serverName, publicBaseUrl } = config;
  const { smtp, templatesFolder, hidesKnownAddresses, nextLinkDomains } = config.email;
  const templates = createTemplates(templatesFolder);
  const email = createEmail({ config: smtp, serverName, templates, log });
  const threepids = createThreepids({
    database,
    clock,
    config: {
      ...config.threepids,
      serverName,
      baseUrl: publicBaseUrl ?? `https://${serverName}`,
      allowsChanges: config.accounts.allowThreepidChanges,
      hidesKnownAddresses,
      nextLinkDomains,
      mail: smtp && { tokenLifetimeMs: smtp.tokenLifetimeMs, subjects: smtp.subjects },
    },
    email,
    limiter,
    signingKey,
    templates,
    sendOutside,
    accounts: () => accounts().services,
  });
  return { templates, email, threepids };
}
