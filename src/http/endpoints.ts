import { bindEndpoints, endpoint, Reply, type Endpoint } from './endpoint.ts';
import { knownVersions, unstableFeatures } from './versions.ts';
import { MatrixError } from '../kernel/errors.ts';
import type { Metrics } from '../kernel/metrics.ts';
import { version } from '../kernel/version.ts';

export interface ServerEndpointNeeds {
  metrics: Metrics;
  /** Base URL for clients, without a slash at the end; null: not announced. */
  publicBaseUrl: string | null;
  /** `host:port` for other servers; null: not announced. */
  wellKnownServer: string | null;
  /** Further members of `/.well-known/matrix/client`. */
  wellKnownClient: Record<string, unknown>;
  /** Contact data of `/.well-known/matrix/support`; null: none. */
  support: Record<string, unknown> | null;
  /** Algorithm → unpadded base64, of `/.well-known/matrix/policy_server`; null: not announced. */
  policyServerKeys: Readonly<Record<string, string>> | null;
  /** Proposals beyond those that are always there, by the names clients know. */
  features?: Readonly<Record<string, boolean>>;
  /** All endpoints, for their description. */
  describe(): Record<string, unknown>;
}

const declare = endpoint<ServerEndpointNeeds>();
const runsOn = { group: 'client', balance: 'none' } as const;

const versions = declare({
  operation: 'getVersions',
  method: 'GET',
  paths: ['/_matrix/client/versions'],
  auth: 'optional',
  runsOn,
  summary: 'The versions of the specification that are spoken here',
  source: 'CS 1.19, getVersions',
  handle: (_context, { features }) => ({
    versions: knownVersions,
    unstable_features: { ...unstableFeatures, ...features },
  }),
});

const wellKnownClient = declare({
  operation: 'getWellknown',
  method: 'GET',
  paths: ['/.well-known/matrix/client'],
  auth: 'none',
  runsOn,
  summary: 'Where clients find the server',
  source: 'CS 1.19, getWellknown',
  handle(_context, { publicBaseUrl, wellKnownClient: extra }) {
    if (publicBaseUrl === null) {
      throw new MatrixError('M_NOT_FOUND', '`public_baseurl` is not configured');
    }
    return { ...extra, 'm.homeserver': { base_url: `${publicBaseUrl}/` } };
  },
});

const wellKnownServer = declare({
  operation: 'getWellKnownServer',
  method: 'GET',
  paths: ['/.well-known/matrix/server'],
  auth: 'none',
  runsOn,
  summary: 'Where other servers find the server',
  source: 'SS 1.19, getWellKnown',
  handle(_context, { wellKnownServer: server }) {
    if (server === null) throw new MatrixError('M_NOT_FOUND', '`serve_server_wellknown` is off');
    return { 'm.server': server };
  },
});

const wellKnownSupport = declare({
  operation: 'getWellknownSupport',
  method: 'GET',
  paths: ['/.well-known/matrix/support'],
  auth: 'none',
  runsOn,
  summary: 'Whom to ask for help',
  source: 'CS 1.19, getWellknownSupport',
  handle(_context, { support }) {
    if (support === null)
      throw new MatrixError('M_NOT_FOUND', 'No support contacts are configured');
    return support;
  },
});

const wellKnownPolicyServer = declare({
  operation: 'getWellknownPolicy',
  method: 'GET',
  paths: ['/.well-known/matrix/policy_server'],
  auth: 'none',
  runsOn,
  summary: 'The public keys of the policy server of this name',
  source: 'CS 1.19, getWellknownPolicy',
  errors: ['M_NOT_FOUND'],
  handle(_context, { policyServerKeys }) {
    if (policyServerKeys === null) {
      throw new MatrixError('M_NOT_FOUND', '`policy_server_public_keys` is not configured');
    }
    return { public_keys: policyServerKeys };
  },
});

const rootPage =
  '<!doctype html><html lang="en"><meta charset="utf-8"><title>Lattice</title>' +
  '<p>A Matrix homeserver runs here. Use it with a ' +
  '<a href="https://matrix.org/ecosystem/clients/">Matrix client</a>.</html>\n';

const root = declare({
  operation: 'getRoot',
  method: 'GET',
  paths: ['/'],
  auth: 'none',
  runsOn,
  summary: 'Tells people what runs here',
  handle: () => new Reply(200, rootPage, { 'Content-Type': 'text/html; charset=utf-8' }),
});

const health = declare({
  operation: 'health',
  method: 'GET',
  paths: ['/health'],
  auth: 'none',
  resource: 'health',
  runsOn,
  summary: 'Whether the process answers',
  handle: () => 'OK',
});

const metricsEndpoint = declare({
  operation: 'metrics',
  method: 'GET',
  paths: ['/_synapse/metrics', '/metrics'],
  auth: 'none',
  resource: 'metrics',
  runsOn,
  summary: 'Metrics for Prometheus',
  async handle(_context, { metrics: { registry } }) {
    return new Reply(200, await registry.metrics(), { 'Content-Type': registry.contentType });
  },
});

const openApi = declare({
  operation: 'getOpenApi',
  method: 'GET',
  paths: ['/_lattice/openapi.json'],
  auth: 'none',
  resource: 'admin',
  runsOn: { group: 'admin', balance: 'none' },
  summary: 'All endpoints of this server as an OpenAPI description',
  handle: (_context, { describe }) => describe(),
});

const serverVersion = declare({
  operation: 'adminServerVersion',
  method: 'GET',
  paths: ['/_synapse/admin/v1/server_version'],
  auth: 'none',
  runsOn: { group: 'admin', balance: 'none' },
  summary: 'What runs here, and in which version',
  source: 'Synapse admin API, "Version API"',
  handle: () => ({ server_version: `Lattice ${version}` }),
});

/** What every server offers beside its domains. */
export function serverEndpoints(needs: ServerEndpointNeeds): Endpoint[] {
  return bindEndpoints(
    [
      versions,
      wellKnownClient,
      wellKnownServer,
      wellKnownSupport,
      wellKnownPolicyServer,
      root,
      health,
      metricsEndpoint,
      openApi,
      serverVersion,
    ],
    needs,
  );
}
