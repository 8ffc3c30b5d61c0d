import { Type } from 'typebox';
import { clientPaths, endpoint, type Reply } from '../../http/endpoint.ts';
import { readForm } from '../../http/form.ts';
import { htmlPage } from '../../http/html-page.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { redirect } from '../finish.ts';
import type { OpenNewUser } from '../new-users.ts';
import { clientUrl } from '../redirects.ts';
import { SsoError } from '../sso-error.ts';
import { pageOr } from './page.ts';
import { providerValues, runsOn, type SsoServices } from './services.ts';

const declare = endpoint<SsoServices>();
const base = '/_synapse/client';
const common = { auth: 'none', runsOn } as const;
const source = 'Synapse, "SSO" templates';
const taken = new Set(['M_USER_IN_USE', 'M_EXCLUSIVE']);
const [loginPath] = clientPaths('/login/sso/redirect');

const pickIdp = declare({
  ...common,
  operation: 'pickIdp',
  method: 'GET',
  paths: [`${base}/pick_idp`],
  summary: 'A page that asks which identity provider to use',
  source,
  query: Type.Object({ redirectUrl: Type.String(), idp: Type.Optional(Type.String()) }),
  handle: ({ query: { redirectUrl, idp } }, services) =>
    pageOr(services, async () => {
      const { providers, templates, config } = services;
      const client = clientUrl(redirectUrl);
      if (idp !== undefined) {
        if (!providers.has(idp))
          throw new SsoError('unknown_idp', 'Unknown identity provider', 404);
        const query = new URLSearchParams({ redirectUrl: client });
        return redirect(`${loginPath}/${encodeURIComponent(idp)}?${query.toString()}`);
      }
      const html = await templates.render('sso_login_idp_picker.html', {
        server_name: config.serverName,
        redirect_url: client,
        providers: [...providers.values()].map(providerValues),
      });
      return htmlPage(html);
    }),
});

const checkUsername = declare({
  ...common,
  operation: 'pickUsernameCheck',
  method: 'GET',
  paths: [`${base}/pick_username/check`],
  summary: 'Whether a new user may have a name',
  source,
  query: Type.Object({ username: Type.String() }),
  errors: ['M_INVALID_USERNAME', 'M_UNKNOWN'],
  async handle({ query: { username }, request }, { accounts, newUsers }) {
    await newUsers.open(request).catch((cause: unknown) => {
      if (!(cause instanceof SsoError)) throw cause;
      throw new MatrixError('M_UNKNOWN', cause.message);
    });
    try {
      await accounts.registration.checkAvailable(username);
      return { available: true };
    } catch (error) {
      if (error instanceof MatrixError && taken.has(error.code)) return { available: false };
      throw error;
    }
  },
});

async function detailsPage(
  { templates, config }: SsoServices,
  { session, provider }: OpenNewUser,
  error: string | null,
): Promise<Reply> {
  const { localpart, displayName, emails, picture } = session.user.attributes;
  const html = await templates.render('sso_auth_account_details.html', {
    server_name: config.serverName,
    idp: providerValues(provider),
    user_attributes: {
      localpart: localpart ?? '',
      display_name: displayName,
      emails,
      avatar_url: picture,
    },
    error,
  });
  return htmlPage(html, error === null ? 200 : 400);
}

const accountDetails = declare({
  ...common,
  operation: 'pickUsername',
  method: 'GET',
  paths: [`${base}/pick_username/account_details`],
  summary: 'A page that asks a new user for a name',
  source,
  handle: ({ request }, services) =>
    pageOr(services, async () =>
      detailsPage(services, await services.newUsers.open(request), null),
    ),
});

const isOn = (value: string | null) => value !== null && ['true', 'on', '1'].includes(value);

const submitAccountDetails = declare({
  ...common,
  operation: 'submitUsername',
  method: 'POST',
  paths: [`${base}/pick_username/account_details`],
  summary: 'What that page sends',
  source,
  bodyMode: 'none',
  handle: ({ request, raw }, services) =>
    pageOr(services, async () => {
      const { accounts, newUsers } = services;
      const opened = await newUsers.open(request);
      const form = await readForm(raw.req);
      const username = form.get('username') ?? '';
      try {
        await accounts.registration.checkAvailable(username);
      } catch (error) {
        if (!(error instanceof MatrixError)) throw error;
        return detailsPage(services, opened, error.message);
      }
      const { emails } = opened.session.user.attributes;
      const wanted = form.getAll('use_email');
      opened.session.chosen = {
        localpart: username.toLowerCase(),
        usesDisplayName: isOn(form.get('use_display_name')),
        usesPicture: isOn(form.get('use_avatar')),
        emails: emails.filter((address) => wanted.includes(address)),
      };
      return newUsers.proceed(opened);
    }),
});

const consentPage = declare({
  ...common,
  operation: 'newUserConsent',
  method: 'GET',
  paths: [`${base}/new_user_consent`],
  summary: 'A page that asks a new user to accept the terms',
  source,
  handle: ({ request }, services) =>
    pageOr(services, async () => {
      const { newUsers, terms, templates, config } = services;
      const opened = await newUsers.open(request);
      const { chosen, user } = opened.session;
      if (!terms || chosen === null) return newUsers.proceed(opened);
      const html = await templates.render('sso_new_user_consent.html', {
        server_name: config.serverName,
        user_id: `@${chosen.localpart}:${config.serverName}`,
        user_profile: { display_name: chosen.usesDisplayName ? user.attributes.displayName : null },
        consent_version: terms.version,
        terms_url: terms.url,
      });
      return htmlPage(html);
    }),
});

const submitConsent = declare({
  ...common,
  operation: 'submitNewUserConsent',
  method: 'POST',
  paths: [`${base}/new_user_consent`],
  summary: 'What that page sends',
  source,
  bodyMode: 'none',
  handle: ({ request, raw }, { newUsers, ...services }) =>
    pageOr(services, async () => {
      const opened = await newUsers.open(request);
      const version = (await readForm(raw.req)).get('accepted_version');
      if (version === null) {
        throw new SsoError('invalid_request', 'The version of the terms is missing');
      }
      opened.session.acceptedTerms = version;
      return newUsers.proceed(opened);
    }),
});

const register = declare({
  ...common,
  operation: 'ssoRegister',
  method: 'GET',
  paths: [`${base}/sso_register`],
  summary: 'Makes the account of a new user who has answered all questions',
  source,
  handle: ({ request }, services) =>
    pageOr(services, async () => services.newUsers.register(await services.newUsers.open(request))),
});

export const newUserEndpoints = [
  pickIdp,
  checkUsername,
  accountDetails,
  submitAccountDetails,
  consentPage,
  submitConsent,
  register,
];
