import type { AccountSubscriber, LoginType } from '../accounts/module.ts';
import { StageFailed } from '../accounts/module.ts';
import type { OwnStagePage } from '../auth-pages/module.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import { createCasProvider } from './cas/cas-provider.ts';
import { createCookies } from './cookies.ts';
import { newUserEndpoints } from './endpoints/new-user.ts';
import { oidcEndpoints } from './endpoints/oidc.ts';
import { redirectEndpoints } from './endpoints/redirect.ts';
import type { SsoServices } from './endpoints/services.ts';
import type { IdentityProvider } from './identity-provider.ts';
import type { SsoNeeds } from './needs.ts';
import { createNewUsers } from './new-users.ts';
import { createOidcProvider } from './oidc/oidc-provider.ts';
import { createProviderHttp } from './provider-http.ts';
import { createPictures } from './pictures.ts';
import { createSsoSessions } from './sessions.ts';
import { createSignIn, ssoStage } from './sign-in.ts';
import { createStagePage } from './stage-page.ts';
import {
  deleteDeviceSessions,
  endAuthSession,
  insertDeviceSession,
} from './store/device-sessions.ts';
import { createSsoUsers } from './users.ts';

export type { SsoConfig } from './config.ts';
export type { SsoTerms } from './needs.ts';

export interface SingleSignOn {
  endpoints: Endpoint[];
  accountEvents: AccountSubscriber;
  /** Pages of stages of interactive authentication. */
  stagePages: ReadonlyMap<string, OwnStagePage>;
  /** Forgets what is over; to be called every minute or so. */
  tidy(): Promise<void>;
}

/** What clients are told at `GET /login`. */
function loginTypesOf(providers: readonly IdentityProvider[]): [string, LoginType][] {
  const offered = providers.map(({ id, name, icon, brand }) => ({
    id,
    name,
    ...(icon === null ? {} : { icon }),
    ...(brand === null ? {} : { brand }),
  }));
  const types: [string, LoginType][] = [
    [ssoStage, { flow: () => ({ type: ssoStage, identity_providers: offered }), check: null }],
  ];
  if (providers.some(({ id }) => id === 'cas')) {
    types.push(['m.login.cas', { flow: () => ({ type: 'm.login.cas' }), check: null }]);
  }
  return types;
}

/** Puts log-in at identity providers, and authentication by them, into accounts. */
function offer(
  { accounts }: SsoNeeds,
  providers: ReadonlyMap<string, IdentityProvider>,
  providersOf: (userId: string) => Promise<ReadonlySet<string>>,
): void {
  accounts.uiAuth.addStage(ssoStage, {
    async check() {
      throw new StageFailed('M_UNAUTHORIZED', 'This is done on a page in the browser');
    },
  });
  if (providers.size === 0) return;
  const { loginTypes } = accounts;
  for (const [name, type] of loginTypesOf([...providers.values()])) loginTypes.set(name, type);
  const byToken = loginTypes.get('m.login.token')!;
  loginTypes.set('m.login.token', {
    ...byToken,
    flow: () => byToken.flow() ?? { type: 'm.login.token' },
  });
  accounts.furtherReauthFlows.push(async (userId) => {
    const known = await providersOf(userId);
    return [...providers.keys()].some((id) => known.has(id)) ? [[ssoStage]] : [];
  });
}

/** Single sign-on: log-in at identity providers, by any process. */
export function createSingleSignOn(needs: SsoNeeds): SingleSignOn {
  const { config, database, clock, accounts } = needs;
  const http = createProviderHttp(needs.outbound);
  const callbackUrl = `${config.baseUrl}/_synapse/client/oidc/callback`;
  const oidc = new Map(
    config.oidc.map((one) => [
      one.id,
      createOidcProvider(one, { http, clock, log: needs.log, callbackUrl }),
    ]),
  );
  const ticketUrl = `${config.baseUrl}/_matrix/client/r0/login/cas/ticket`;
  const cas = config.cas && createCasProvider(config.cas, { http, ticketUrl });
  const providers = new Map<string, IdentityProvider>([
    ...oidc,
    ...(cas ? ([[cas.id, cas]] as const) : []),
  ]);
  const sessions = createSsoSessions(database, clock);
  const cookies = createCookies(config.baseUrl.startsWith('https:'));
  const users = createSsoUsers(needs);
  const pictures = createPictures(needs);
  const newUsers = createNewUsers({ needs, sessions, cookies, users, pictures, providers });
  const signIn = createSignIn({ needs, sessions, cookies, users, newUsers, pictures });
  offer(needs, providers, users.providersOf);

  const services: SsoServices = {
    ...needs,
    providers,
    oidc,
    cas,
    cookies,
    signIn,
    newUsers,
    known: users.known,
    async endSessions(providerId, sessionId, userId) {
      const ended = await database.query(endAuthSession, [providerId, sessionId]);
      // A session at a provider is of one user.
      const theirs = ended.filter((one) => userId === null || one.userId === userId);
      await Promise.all(theirs.map((user) => accounts.devices.delete(user, user.deviceIds)));
    },
  };
  return {
    endpoints: bindEndpoints(
      [...redirectEndpoints, ...newUserEndpoints, ...oidcEndpoints],
      services,
    ),
    accountEvents: {
      async loggedInBy({ userNid }, deviceId, { providerId, sessionId }) {
        await database.query(insertDeviceSession, [providerId, sessionId, userNid, deviceId]);
      },
      async devicesDeleted({ userNid }, devices) {
        const ids = devices.map(({ deviceId }) => deviceId);
        await database.query(deleteDeviceSessions, [userNid, ids]);
      },
    },
    stagePages: new Map([[ssoStage, createStagePage(services, users.providersOf)]]),
    tidy: () => sessions.removeOld(),
  };
}
