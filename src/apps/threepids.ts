import type { Accounts } from '../accounts/module.ts';
import { createEmail } from '../email/module.ts';
import type { FederationClient } from '../federation-client/federation-client.ts';
import type { FederationSender } from '../federation-sender/module.ts';
import { createTemplates } from '../templates/module.ts';
import { jsonAnswer, type SendJson } from '../http/json-client.ts';
import type { OutboundHttp } from '../outbound/outbound-http.ts';
import type { Rooms } from '../rooms/module.ts';
import { createThreepids } from '../threepids/module.ts';
import type { Foundation } from './domains.ts';

/** Requests with JSON by the client that keeps out of inner networks. */
const sendBy =
  (http: OutboundHttp): SendJson =>
  async ({ method, url, headers = {}, body }) => {
    const answer = await http.fetch(url, {
      method,
      headers: body === undefined ? headers : { ...headers, 'Content-Type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return jsonAnswer(answer.status, answer.body.toString('utf8'));
  };

/** Mail, templates, and the mail addresses and phone numbers of accounts. */
export function assembleThreepids(
  { config, database, clock, log, metrics, limiter, signingKey }: Foundation,
  outbound: OutboundHttp,
  federation: FederationClient,
  later: { accounts: () => Accounts; rooms: () => Rooms; sender: () => FederationSender },
) {
  const { serverName, publicBaseUrl } = config;
  const { smtp, templatesFolder, hidesKnownAddresses, nextLinkDomains } = config.email;
  const templates = createTemplates(templatesFolder);
  const email = createEmail({ config: smtp, serverName, templates, log, metrics });
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
      mail: smtp && {
        tokenLifetimeMs: smtp.tokenLifetimeMs,
        inviteClientLocation: smtp.inviteClientLocation,
        subjects: smtp.subjects,
      },
    },
    email,
    limiter,
    signingKey,
    templates,
    sendOutside: sendBy(outbound),
    federation,
    passOn: (event) => later.sender().passOn(event),
    log,
    accounts: () => later.accounts().services,
    rooms: () => later.rooms().services,
  });
  return { templates, email, threepids };
}
