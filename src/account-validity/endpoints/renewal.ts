import { Type } from 'typebox';
import { clientPaths, endpoint } from '../../http/endpoint.ts';
import { htmlPage } from '../../http/html-page.ts';
import type { AccountServices } from '../../accounts/module.ts';
import type { Templates } from '../../templates/module.ts';
import type { AccountValidityConfig } from '../config.ts';
import type { Renewals } from '../renewals.ts';

export interface RenewalEndpointNeeds {
  config: AccountValidityConfig;
  renewals: Renewals;
  templates: Templates;
  accounts: Pick<AccountServices, 'moderation'>;
}

const declare = endpoint<RenewalEndpointNeeds>();
const runsOn = { group: 'client', balance: 'none' } as const;
const source = 'Synapse, `account_validity`';

const renew = declare({
  operation: 'renewAccount',
  method: 'GET',
  paths: clientPaths('/account_validity/renew'),
  auth: 'none',
  runsOn,
  summary: 'What the link in a mail leads to: the account is valid for another period',
  source,
  query: Type.Object({ token: Type.String() }),
  async handle({ query }, { config, renewals, templates }) {
    const { result, validUntilTs } = await renewals.renewByToken(query.token);
    const template = {
      renewed: config.renewedTemplate,
      'renewed before': 'account_previously_renewed.html',
      unknown: config.invalidTokenTemplate,
    }[result];
    const html = await templates.render(template, { expiration_ts: validUntilTs });
    return htmlPage(html, result === 'unknown' ? 404 : 200);
  },
});

const sendRenewalMail = declare({
  operation: 'sendRenewalMail',
  method: 'POST',
  paths: clientPaths('/account_validity/send_mail'),
  auth: 'user',
  rateLimit: 'threepid_validation',
  runsOn,
  summary: 'Sends the user the mail by which the account is renewed; also when it has expired',
  source,
  bodyMode: 'none',
  answers: { 200: Type.Object({}) },
  errors: ['M_FORBIDDEN', 'M_UNKNOWN', 'M_LIMIT_EXCEEDED'],
  async handle({ requester }, { renewals }) {
    await renewals.sendMail(requester);
    return {};
  },
});

const setValidity = declare({
  operation: 'setAccountValidity',
  method: 'POST',
  paths: ['/_synapse/admin/v1/account_validity/validity'],
  auth: 'admin',
  runsOn: { group: 'admin', balance: 'none' },
  summary: 'Sets until when an account is valid',
  source: 'Synapse admin API, "Account validity"',
  body: Type.Object({
    user_id: Type.String(),
    expiration_ts: Type.Optional(Type.Integer({ minimum: 0 })),
    enable_renewal_emails: Type.Optional(Type.Boolean()),
  }),
  answers: { 200: Type.Object({ expiration_ts: Type.Integer() }) },
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_INVALID_PARAM'],
  async handle({ body }, { renewals, accounts }) {
    const account = await accounts.moderation.localAccount(body.user_id);
    const sendsMails = body.enable_renewal_emails ?? true;
    const until = await renewals.renew(account, body.expiration_ts ?? null, sendsMails);
    return { expiration_ts: until };
  },
});

export const renewalEndpoints = [renew, sendRenewalMail, setValidity];
