import { localpartFrom } from '../../matrix/localparts.ts';
import type { AttributeRequirement } from '../attributes.ts';
import type { IdentityProvider, RemoteUser } from '../identity-provider.ts';
import type { ProviderHttp } from '../provider-http.ts';
import { parseCasResponse } from './cas-response.ts';

/** [cas_config] */
export interface CasConfig {
  name: string;
  icon: string | null;
  brand: string | null;
  /** Without a slash at the end. */
  serverUrl: string;
  protocolVersion: 1 | 2 | 3;
  displayNameAttribute: string | null;
  requirements: readonly AttributeRequirement[];
  registersUsers: boolean;
  /** Before names of digits; null: those are left as they are. */
  numericPrefix: string | null;
}

/** A server that speaks CAS. */
export interface CasProvider extends IdentityProvider {
  /** Rejects with SsoError. `state`: what the browser has departed with. */
  userOf(ticket: string, state: string): Promise<RemoteUser>;
}

export interface CasProviderNeeds {
  http: ProviderHttp;
  /** Where browsers come back to. */
  ticketUrl: string;
}

export function createCasProvider(config: CasConfig, needs: CasProviderNeeds): CasProvider {
  const { serverUrl, displayNameAttribute, numericPrefix } = config;
  const serviceOf = (state: string) =>
    `${needs.ticketUrl}?${new URLSearchParams({ state }).toString()}`;
  const validatePath = config.protocolVersion === 3 ? '/p3/serviceValidate' : '/serviceValidate';

  return {
    id: 'cas',
    name: config.name,
    icon: config.icon,
    brand: config.brand,
    requirements: config.requirements,
    registersUsers: config.registersUsers,
    // As in Synapse: a CAS server stands for the users of the organisation.
    adoptsExistingUsers: true,
    async depart(state) {
      const query = new URLSearchParams({ service: serviceOf(state) });
      return { url: `${serverUrl}/login?${query.toString()}`, kept: {} };
    },
    async userOf(ticket, state) {
      const query = new URLSearchParams({ ticket, service: serviceOf(state) });
      const answer = await needs.http.get(`${serverUrl}${validatePath}?${query.toString()}`, {
        Accept: 'application/xml',
      });
      const { user, attributes } = parseCasResponse(answer.body.toString('utf8'));
      const name = numericPrefix !== null && /^\d+$/.test(user) ? `${numericPrefix}${user}` : user;
      const [displayName = null] =
        displayNameAttribute === null ? [] : (attributes[displayNameAttribute] ?? []);
      return {
        externalId: name,
        claims: attributes,
        attributes: {
          localpart: localpartFrom(name),
          confirmsLocalpart: false,
          displayName,
          emails: [],
          picture: null,
        },
        sessionId: null,
        extra: null,
      };
    },
  };
}
