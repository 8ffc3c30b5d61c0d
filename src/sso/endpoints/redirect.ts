import { Type } from 'typebox';
import { clientPaths, endpoint, type RequestInfo } from '../../http/endpoint.ts';
import { parseQuery } from '../../http/query.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { redirect } from '../finish.ts';
import { clientUrl } from '../redirects.ts';
import { SsoError } from '../sso-error.ts';
import { pageOr } from './page.ts';
import { runsOn, type SsoServices } from './services.ts';

const declare = endpoint<SsoServices>();
const query = Type.Object({
  redirectUrl: Type.String(),
  action: Type.Optional(Type.Union([Type.Literal('login'), Type.Literal('register')])),
});

/** Added to an address that browsers are sent to, so that they are sent once. */
const sentMark = 'via=other_host';

/**
 * The same request at the configured address, where the cookies are to be; null: it is there, or was
 * sent there already and the proxy does not pass on its name.
 */
function atOwnAddress({ config }: SsoServices, { url, headers }: RequestInfo): string | null {
  if (!config.isBaseUrlKnown || headers.host === undefined || url.includes(sentMark)) return null;
  if (headers.host === new URL(config.baseUrl).host) return null;
  return `${config.baseUrl}${url}${url.includes('?') ? '&' : '?'}${sentMark}`;
}

async function begin(
  services: SsoServices,
  request: RequestInfo,
  redirectUrl: string,
  idpId: string | null,
) {
  const { providers, signIn } = services;
  const client = clientUrl(redirectUrl);
  if (providers.size === 0) {
    throw new MatrixError('M_UNRECOGNIZED', 'Homeserver not configured for SSO.', { status: 400 });
  }
  const elsewhere = atOwnAddress(services, request);
  if (elsewhere !== null) return redirect(elsewhere);
  const only = providers.size === 1 ? [...providers.values()][0] : undefined;
  const provider = idpId === null ? only : providers.get(idpId);
  if (!provider && idpId !== null) {
    throw new MatrixError('M_NOT_FOUND', 'Unknown identity provider');
  }
  if (!provider) {
    const picked = new URLSearchParams({ redirectUrl: client });
    return redirect(`/_synapse/client/pick_idp?${picked.toString()}`);
  }
  return pageOr(services, async () => {
    const given = parseQuery(request.url);
    const purpose = { clientUrl: client };
    const { url, cookie } = await signIn.depart(provider, request, given, purpose);
    return redirect(url, cookie);
  });
}

const redirectToSso = declare({
  operation: 'redirectToSSO',
  method: 'GET',
  paths: clientPaths('/login/sso/redirect'),
  auth: 'none',
  runsOn,
  summary: 'Sends the browser to the identity provider, or to a page that asks which',
  source: 'CS 1.19, redirectToSSO',
  query,
  errors: ['M_INVALID_PARAM', 'M_UNRECOGNIZED'],
  handle: ({ query: { redirectUrl }, request }, services) =>
    begin(services, request, redirectUrl, null),
});

const redirectToIdp = declare({
  operation: 'redirectToIdP',
  method: 'GET',
  paths: clientPaths('/login/sso/redirect/:idpId'),
  auth: 'none',
  runsOn,
  summary: 'Sends the browser to an identity provider',
  source: 'CS 1.19, redirectToIdP',
  params: Type.Object({ idpId: Type.String() }),
  query,
  errors: ['M_INVALID_PARAM', 'M_UNRECOGNIZED', 'M_NOT_FOUND'],
  handle: ({ params: { idpId }, query: { redirectUrl }, request }, services) =>
    begin(services, request, redirectUrl, idpId),
});

const redirectToCas = declare({
  operation: 'redirectToCas',
  method: 'GET',
  paths: clientPaths('/login/cas/redirect'),
  auth: 'none',
  runsOn,
  summary: 'The same for the CAS server, of clients that know nothing else',
  source: 'CS r0.4.0, "CAS-based client login"',
  deprecated: true,
  query: Type.Object({ redirectUrl: Type.String() }),
  errors: ['M_INVALID_PARAM', 'M_UNRECOGNIZED'],
  handle({ query: { redirectUrl }, request }, services) {
    const { cas } = services;
    if (!cas) throw new MatrixError('M_UNRECOGNIZED', 'There is no CAS server');
    return begin(services, request, redirectUrl, cas.id);
  },
});

const casTicket = declare({
  operation: 'casTicket',
  method: 'GET',
  paths: clientPaths('/login/cas/ticket'),
  auth: 'none',
  runsOn,
  summary: 'Where the CAS server sends the browser back to',
  source: 'CS r0.4.0, "CAS-based client login"; Synapse, `cas_config`',
  query: Type.Object({
    ticket: Type.Optional(Type.String()),
    state: Type.Optional(Type.String()),
  }),
  handle: ({ query: { ticket, state }, request }, services) =>
    pageOr(services, async () => {
      const { cas, signIn } = services;
      const session = await signIn.arrive(request, state ?? null);
      if (!cas || session.providerId !== cas.id) {
        throw new SsoError('unknown_idp', 'The session is about another identity provider');
      }
      if (ticket === undefined) throw new SsoError('invalid_request', 'The ticket is missing');
      return signIn.complete(cas, await cas.userOf(ticket, state!), session, request);
    }),
});

export const redirectEndpoints = [redirectToSso, redirectToIdp, redirectToCas, casTicket];
