import { clientPaths, endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import type { Networks } from '../networks.ts';

export interface LookUpNeeds {
  networks: Networks;
}

const declare = endpoint<LookUpNeeds>();
const runsOn = { group: 'main', balance: 'none' } as const;
type Fields = Readonly<Record<string, string | undefined>>;

/** What bridges are sent: all but the token of our client. */
function fieldsOf(query: Fields): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const [name, value] of Object.entries(query)) {
    if (name !== 'access_token' && typeof value === 'string') fields[name] = value;
  }
  return fields;
}

const getProtocols = declare({
  operation: 'getProtocols',
  method: 'GET',
  paths: clientPaths('/thirdparty/protocols'),
  auth: 'user',
  runsOn,
  summary: 'The networks that bridges lead to',
  source: 'CS 1.19, getProtocols',
  handle: (_context, { networks }) => networks.protocols(),
});

const getProtocol = declare({
  operation: 'getProtocolMetadata',
  method: 'GET',
  paths: clientPaths('/thirdparty/protocol/:protocol'),
  auth: 'user',
  runsOn,
  summary: 'One of those networks',
  source: 'CS 1.19, getProtocolMetadata',
  errors: ['M_NOT_FOUND'],
  async handle({ params }, { networks }) {
    const name = params['protocol']!;
    const protocols = await networks.protocols([name]);
    if (!Object.hasOwn(protocols, name)) throw new MatrixError('M_NOT_FOUND', 'Unknown protocol');
    return protocols[name];
  },
});

const byProtocol = (['location', 'user'] as const).map((kind) =>
  declare({
    operation: kind === 'location' ? 'queryLocationByProtocol' : 'queryUserByProtocol',
    method: 'GET',
    paths: clientPaths(`/thirdparty/${kind}/:protocol`),
    auth: 'user',
    runsOn,
    summary:
      kind === 'location' ? 'Rooms that lead to a place there' : 'Users who stand for one there',
    source: `CS 1.19, ${kind === 'location' ? 'queryLocationByProtocol' : 'queryUserByProtocol'}`,
    handle: ({ params, query }, { networks }) =>
      networks.look(kind, params['protocol']!, fieldsOf(query)),
  }),
);

function required(query: Fields, name: string): Record<string, string> {
  const value = query[name];
  if (value === undefined)
    throw new MatrixError('M_MISSING_PARAM', `Missing query parameter ${name}`);
  return { [name]: value };
}

const queryLocationByAlias = declare({
  operation: 'queryLocationByAlias',
  method: 'GET',
  paths: clientPaths('/thirdparty/location'),
  auth: 'user',
  runsOn,
  summary: 'The place in another network that a room leads to',
  source: 'CS 1.19, queryLocationByAlias',
  handle: ({ query }, { networks }) => networks.look('location', null, required(query, 'alias')),
});

const queryUserByID = declare({
  operation: 'queryUserByID',
  method: 'GET',
  paths: clientPaths('/thirdparty/user'),
  auth: 'user',
  runsOn,
  summary: 'Who in another network a user stands for',
  source: 'CS 1.19, queryUserByID',
  handle: ({ query }, { networks }) => networks.look('user', null, required(query, 'userid')),
});

export const lookUpEndpoints = [
  getProtocols,
  getProtocol,
  ...byProtocol,
  queryLocationByAlias,
  queryUserByID,
];
