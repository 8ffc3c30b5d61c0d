import { Type } from 'typebox';
import { clientPaths, endpoint, Reply } from '../../http/endpoint.ts';
import { readForm } from '../../http/form.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { checkClientSecret } from '../addresses.ts';
import type { ThreepidServices } from '../services.ts';
import type { Purpose } from '../validation.ts';

const declare = endpoint<ThreepidServices>();
const runsOn = { group: 'main', balance: 'none' } as const;
const unstable = (path: string) => [`/_matrix/client/unstable${path}`];

interface Submitted {
  sid: string;
  token: string;
  client_secret: string;
}

const submittedQuery = Type.Object({
  sid: Type.String(),
  token: Type.String(),
  client_secret: Type.String(),
});

async function page(
  { templates }: ThreepidServices,
  status: number,
  template: string,
  values: Readonly<Record<string, unknown>> = {},
): Promise<Reply> {
  const html = await templates.render(template, values);
  return new Reply(status, html, {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Security-Policy':
      "default-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    // The address holds the token.
    'Referrer-Policy': 'no-referrer',
  });
}

/** Notes that the link was followed, and says so on a page or leads on to where the client wants. */
async function submit(services: ThreepidServices, purpose: Purpose, query: Submitted) {
  if (!services.email.isEnabled) {
    throw new MatrixError('M_NOT_FOUND', 'Email addresses cannot be validated by this server');
  }
  checkClientSecret(query.client_secret);
  try {
    const { sid, token, client_secret: clientSecret } = query;
    const nextLink = await services.validation.submit(sid, clientSecret, token);
    if (nextLink !== null) return new Reply(302, '', { Location: nextLink });
    return page(services, 200, `${purpose}_success.html`);
  } catch (error) {
    if (!(error instanceof MatrixError)) throw error;
    return page(services, 400, `${purpose}_failure.html`, { failure_reason: error.message });
  }
}

const submitRegistration = declare({
  operation: 'submitRegistrationEmailToken',
  method: 'GET',
  paths: unstable('/registration/email/submit_token'),
  auth: 'none',
  runsOn,
  summary: 'The page behind the link of a mail that proves an address for a registration',
  query: submittedQuery,
  handle: ({ query }, services) => submit(services, 'registration', query),
});

const submitAdd = declare({
  operation: 'submitAddThreepidEmailToken',
  method: 'GET',
  paths: unstable('/add_threepid/email/submit_token'),
  auth: 'none',
  runsOn,
  summary: 'The page behind the link of a mail that proves an address of an account',
  query: submittedQuery,
  handle: ({ query }, services) => submit(services, 'add_threepid', query),
});

const resetPath = '/_synapse/client/password_reset/email/submit_token';

const confirmReset = declare({
  operation: 'confirmPasswordReset',
  method: 'GET',
  paths: [resetPath],
  auth: 'none',
  runsOn,
  summary: 'The page behind the link of a mail: asks whether a new password may be set',
  query: submittedQuery,
  handle: ({ query }, services) =>
    page(services, 200, 'password_reset_confirmation.html', {
      sid: query.sid,
      token: query.token,
      client_secret: query.client_secret,
    }),
});

const submitReset = declare({
  operation: 'submitPasswordResetToken',
  method: 'POST',
  paths: [resetPath],
  auth: 'none',
  runsOn,
  bodyMode: 'none',
  summary: 'What that page sends: a new password may be set',
  async handle({ raw }, services) {
    const form = await readForm(raw.req);
    const text = (name: string) => {
      const value = form.get(name);
      if (value === null) throw new MatrixError('M_MISSING_PARAM', `Missing ${name}`);
      return value;
    };
    const query = { sid: text('sid'), token: text('token'), client_secret: text('client_secret') };
    return submit(services, 'password_reset', query);
  },
});

const submitMsisdn = declare({
  operation: 'submitAddThreepidMsisdnToken',
  method: 'POST',
  paths: [
    ...unstable('/add_threepid/msisdn/submit_token'),
    ...clientPaths('/add_threepid/msisdn/submit_token').filter(
      (path) => !path.includes('unstable'),
    ),
  ],
  auth: 'none',
  runsOn,
  summary: 'Passes the code of a message on to the server that validates phone numbers',
  source: 'CS 1.19, "submit_url" of requestTokenTo3PIDMSISDN',
  body: submittedQuery,
  async handle({ body }, { msisdn }) {
    if (!msisdn) {
      throw new MatrixError(
        'M_THREEPID_MEDIUM_NOT_SUPPORTED',
        'Phone numbers cannot be validated by this server',
      );
    }
    checkClientSecret(body.client_secret);
    const { sid, token, client_secret } = body;
    return msisdn.submitToken({ sid, token, client_secret });
  },
});

export const submitPages = [submitRegistration, submitAdd, confirmReset, submitReset, submitMsisdn];
