import { Type } from 'typebox';
import { endpoint, Reply, type RequestInfo } from '../../http/endpoint.ts';
import { readForm } from '../../http/form.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { parseJwt } from '../oidc/jwt.ts';
import { SsoError } from '../sso-error.ts';
import { pageOr } from './page.ts';
import { runsOn, type SsoServices } from './services.ts';

const declare = endpoint<SsoServices>();
const paths = ['/_synapse/client/oidc/callback'];

/** Answers of providers are shown to people; they need not be long. */
const shownMax = 300;

async function arrive(services: SsoServices, request: RequestInfo, form: URLSearchParams) {
  const { oidc, signIn } = services;
  const error = form.get('error');
  if (error !== null) {
    const text = form.get('error_description') ?? '';
    throw new SsoError(error.slice(0, shownMax), text.slice(0, shownMax));
  }
  const session = await signIn.arrive(request, form.get('state'));
  const provider = oidc.get(session.providerId);
  if (!provider) throw new SsoError('unknown_idp', 'The identity provider is not known any more');
  const code = form.get('code');
  if (code === null) throw new SsoError('invalid_request', 'Code parameter is missing');
  return signIn.complete(provider, await provider.userOf(code, session.kept), session, request);
}

const callback = declare({
  operation: 'oidcCallback',
  method: 'GET',
  paths,
  auth: 'none',
  runsOn,
  summary: 'Where an OpenID Connect provider sends the browser back to',
  source: 'OpenID Connect Core 1.0, 3.1.2.5',
  query: Type.Record(Type.String(), Type.Optional(Type.String())),
  handle: ({ request }, services) =>
    pageOr(services, async () => {
      const at = request.url.indexOf('?');
      const form = new URLSearchParams(at === -1 ? '' : request.url.slice(at + 1));
      return arrive(services, request, form);
    }),
});

const callbackByForm = declare({
  operation: 'oidcCallbackByForm',
  method: 'POST',
  paths,
  auth: 'none',
  runsOn,
  summary: 'The same by a form, for providers that are told to',
  source: 'OAuth 2.0 Form Post Response Mode',
  bodyMode: 'none',
  handle: ({ request, raw }, services) =>
    pageOr(services, async () => arrive(services, request, await readForm(raw.req))),
});

const backchannelLogout = declare({
  operation: 'oidcBackchannelLogout',
  method: 'POST',
  paths: ['/_synapse/client/oidc/backchannel_logout'],
  auth: 'none',
  runsOn,
  summary: 'An OpenID Connect provider says that a session of a user there has ended',
  source: 'OpenID Connect Back-Channel Logout 1.0',
  bodyMode: 'none',
  errors: ['M_MISSING_PARAM', 'M_INVALID_PARAM', 'M_UNKNOWN'],
  async handle({ raw }, { oidc, endSessions, log, known }) {
    const text = (await readForm(raw.req)).get('logout_token');
    if (text === null) throw new MatrixError('M_MISSING_PARAM', 'Missing logout_token');
    const token = parseJwt(text);
    if (!token) throw new MatrixError('M_INVALID_PARAM', 'Invalid logout_token');
    const { aud, iss } = token.claims;
    const audience: unknown[] = Array.isArray(aud) ? aud : [aud];
    const candidates = [...oidc.values()].filter(({ config }) =>
      audience.includes(config.clientId),
    );
    const issuers = await Promise.all(
      candidates.map((one) => one.issuer().catch(() => one.config.issuer)),
    );
    const provider = candidates[issuers.indexOf(String(iss))];
    if (!provider) throw new MatrixError('M_INVALID_PARAM', 'The logout_token is of nobody known');
    const { config } = provider;
    if (!config.logsOutByBackchannel) {
      throw new MatrixError('M_UNKNOWN', 'Back-channel logout is disabled for this provider');
    }
    const ended = await provider.loggedOut(token).catch((cause: unknown) => {
      if (!(cause instanceof SsoError)) throw cause;
      log.warn({ err: cause, provider: provider.id }, 'a logout token is refused');
      throw new MatrixError('M_INVALID_PARAM', 'Invalid logout_token', { cause });
    });
    const { sessionId, subject } = ended;
    const userId =
      subject === null || config.ignoresSubjectAtLogout ? null : await known(provider, subject);
    await endSessions(provider.id, sessionId, userId);
    return new Reply(200, '', { 'Cache-Control': 'no-store', Pragma: 'no-cache' });
  },
});

export const oidcEndpoints = [callback, callbackByForm, backchannelLogout];
