import { endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { version } from '../../kernel/version.ts';

const declare = endpoint<object>();
const shared = {
  method: 'GET',
  resource: 'federation',
  runsOn: { group: 'federation', balance: 'origin' },
} as const;

const getVersion = declare({
  ...shared,
  operation: 'getVersion',
  paths: ['/_matrix/federation/v1/version'],
  auth: 'none',
  summary: 'The name and version of this server',
  source: 'SS 1.19, getVersion',
  handle: () => ({ server: { name: 'Lattice', version } }),
});

/** Questions that are known are endpoints of their own. */
const queryInfo = declare({
  ...shared,
  operation: 'queryInfo',
  paths: ['/_matrix/federation/v1/query/:queryType'],
  auth: 'server',
  summary: 'Answers that a kind of question is not known',
  source: 'SS 1.19, queryInfo',
  errors: ['M_UNRECOGNIZED'],
  handle({ params }) {
    throw new MatrixError('M_UNRECOGNIZED', `There are no queries of ${params['queryType']}`);
  },
});

export const aboutEndpoints = [getVersion, queryInfo];
