import { randomInt } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Type, type Static } from 'typebox';
import { canonicalMsisdn } from '../../accounts/module.ts';
import { clientPaths, endpoint, type RequestInfo } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { randomLetters } from '../../kernel/random.ts';
import { canonicalEmail, checkClientSecret, checkedNextLink } from '../addresses.ts';
import { checkAllowed, checkMayChange } from '../rules.ts';
import type { ThreepidServices } from '../services.ts';
import type { Purpose } from '../validation.ts';

const declare = endpoint<ThreepidServices>();
const runsOn = { group: 'main', balance: 'none' } as const;
const errors = [
  'M_THREEPID_IN_USE',
  'M_THREEPID_NOT_FOUND',
  'M_THREEPID_DENIED',
  'M_THREEPID_MEDIUM_NOT_SUPPORTED',
  'M_INVALID_PARAM',
  'M_LIMIT_EXCEEDED',
] as const;

const common = {
  client_secret: Type.String(),
  send_attempt: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  next_link: Type.Optional(Type.String({ maxLength: 2048 })),
  id_server: Type.Optional(Type.String()),
  id_access_token: Type.Optional(Type.String()),
};
const emailBody = Type.Object({ ...common, email: Type.String() });
const msisdnBody = Type.Object({
  ...common,
  country: Type.String(),
  phone_number: Type.String({ maxLength: 64 }),
});

/** How often mails and messages are sent to one address, and for one who asks. */
function take(services: ThreepidServices, request: RequestInfo, medium: string, address: string) {
  services.limiter.take('threepid_validation', `from ${medium} ${request.remoteAddress}`);
  services.limiter.take('threepid_validation', `to ${medium} ${address}`);
}

/** Where to go after the link was followed; null: nowhere. Throws M_INVALID_PARAM. */
function nextLinkOf({ config }: ThreepidServices, { next_link }: { next_link?: string }) {
  return next_link === undefined ? null : checkedNextLink(next_link, config.nextLinkDomains);
}

const inUse = () => new MatrixError('M_THREEPID_IN_USE', 'It belongs to an account already');
const unknown = () => new MatrixError('M_THREEPID_NOT_FOUND', 'No account has it');

/** How long mail servers usually take. */
const mailMsMin = 100;
const mailMsMax = 1_000;

/** Looks like an answer after a mail, also by the time it takes. */
async function pretended(): Promise<{ sid: string }> {
  await pause(randomInt(mailMsMin, mailMsMax));
  return { sid: randomLetters(16) };
}

/** Who has registered with an address is told by mail, when others must not learn of it. */
async function tellOwner({ email, config }: ThreepidServices, address: string): Promise<void> {
  await email.send({
    to: address,
    subject: config.mail!.subjects.email_already_in_use,
    template: 'already_in_use',
    values: {},
  });
}

async function requestEmail(
  services: ThreepidServices,
  purpose: Purpose,
  body: Static<typeof emailBody>,
  request: RequestInfo,
): Promise<{ sid: string }> {
  const { config, accounts, validation } = services;
  checkClientSecret(body.client_secret);
  const address = canonicalEmail(body.email);
  const nextLink = nextLinkOf(services, body);
  if (purpose !== 'password_reset') checkAllowed(config, 'email', address);
  take(services, request, 'email', address);
  const owner = await accounts.directory.byThreepid('email', address);
  if (purpose === 'password_reset' ? !owner : owner) {
    if (!config.hidesKnownAddresses) throw purpose === 'password_reset' ? unknown() : inUse();
    if (purpose !== 'registration') return pretended();
    await tellOwner(services, address);
    return { sid: randomLetters(16) };
  }
  const sid = await validation.requestEmail({
    purpose,
    address,
    clientSecret: body.client_secret,
    sendAttempt: body.send_attempt,
    nextLink,
  });
  return { sid };
}

async function requestMsisdn(
  services: ThreepidServices,
  purpose: Purpose,
  body: Static<typeof msisdnBody>,
  request: RequestInfo,
): Promise<{ sid: string; submit_url?: string }> {
  const { config, accounts, msisdn } = services;
  checkClientSecret(body.client_secret);
  const number = await canonicalMsisdn(body.country, body.phone_number);
  const nextLink = nextLinkOf(services, body);
  if (purpose !== 'password_reset') checkAllowed(config, 'msisdn', number);
  take(services, request, 'msisdn', number);
  if (!msisdn) {
    throw new MatrixError(
      'M_THREEPID_MEDIUM_NOT_SUPPORTED',
      'Phone numbers cannot be validated by this server',
    );
  }
  const owner = await accounts.directory.byThreepid('msisdn', number);
  if (purpose === 'password_reset' ? !owner : owner) {
    if (!config.hidesKnownAddresses) throw purpose === 'password_reset' ? unknown() : inUse();
    return pretended();
  }
  const { country, phone_number, client_secret, send_attempt } = body;
  const next_link = nextLink ?? undefined;
  return msisdn.requestToken({ country, phone_number, client_secret, send_attempt, next_link });
}

interface Place {
  purpose: Purpose;
  path: string;
  operations: { email: string; msisdn: string };
  summary: string;
}

const places: readonly Place[] = [
  {
    purpose: 'registration',
    path: '/register',
    operations: { email: 'requestTokenToRegisterEmail', msisdn: 'requestTokenToRegisterMSISDN' },
    summary: 'to register with it',
  },
  {
    purpose: 'password_reset',
    path: '/account/password',
    operations: {
      email: 'requestTokenToResetPasswordEmail',
      msisdn: 'requestTokenToResetPasswordMSISDN',
    },
    summary: 'to set a new password',
  },
  {
    purpose: 'add_threepid',
    path: '/account/3pid',
    operations: { email: 'requestTokenTo3PIDEmail', msisdn: 'requestTokenTo3PIDMSISDN' },
    summary: 'to add it to an account',
  },
];

export const requestTokenEndpoints = places.flatMap(({ purpose, path, operations, summary }) => [
  declare({
    operation: operations.email,
    method: 'POST',
    paths: clientPaths(`${path}/email/requestToken`),
    auth: 'none',
    runsOn,
    summary: `Sends a mail by which its reader proves the address, ${summary}`,
    source: `CS 1.19, ${operations.email}`,
    body: emailBody,
    errors,
    async handle({ body, request }, services) {
      if (purpose === 'add_threepid') checkMayChange(services.config);
      if (!services.email.isEnabled) {
        throw new MatrixError(
          'M_THREEPID_MEDIUM_NOT_SUPPORTED',
          'Email addresses cannot be validated by this server',
        );
      }
      return requestEmail(services, purpose, body, request);
    },
  }),
  declare({
    operation: operations.msisdn,
    method: 'POST',
    paths: clientPaths(`${path}/msisdn/requestToken`),
    auth: 'none',
    runsOn,
    summary: `Sends a message by which its reader proves the phone number, ${summary}`,
    source: `CS 1.19, ${operations.msisdn}`,
    body: msisdnBody,
    errors,
    async handle({ body, request }, services) {
      if (purpose === 'add_threepid') checkMayChange(services.config);
      return requestMsisdn(services, purpose, body, request);
    },
  }),
]);
