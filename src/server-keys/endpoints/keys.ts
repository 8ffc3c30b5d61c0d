import { Type } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import type { Clock } from '../../kernel/clock.ts';
import { isServerName } from '../../matrix/ids.ts';
import type { Notary, WantedKeys } from '../notary.ts';
import type { OwnKeys } from '../own-keys.ts';

export interface KeyEndpointNeeds {
  own: OwnKeys;
  notary: Notary;
  clock: Clock;
}

const declare = endpoint<KeyEndpointNeeds>();

/** Servers in one question. */
const serversMax = 100;

const published = declare({
  operation: 'getServerKey',
  method: 'GET',
  // The id of a key was part of the path once; all keys are given whatever it is.
  paths: ['/_matrix/key/v2/server', '/_matrix/key/v2/server/:keyId'],
  auth: 'none',
  resource: 'federation',
  runsOn: { group: 'federation', balance: 'origin' },
  summary: 'The keys that this server signs with',
  source: 'SS 1.19, getServerKey',
  handle: (_context, { own }) => own.published(),
});

function checkName(serverName: string): void {
  if (isServerName(serverName)) return;
  throw new MatrixError('M_INVALID_PARAM', `${JSON.stringify(serverName)} is not a server name`);
}

const query = declare({
  operation: 'perspectivesKeyQuery',
  method: 'GET',
  paths: ['/_matrix/key/v2/query/:serverName', '/_matrix/key/v2/query/:serverName/:keyId'],
  auth: 'none',
  resource: 'federation',
  runsOn: { group: 'federation', balance: 'origin' },
  summary: 'Keys of another server, signed by this one',
  source: 'SS 1.19, perspectivesKeyQuery',
  errors: ['M_INVALID_PARAM'],
  query: Type.Object({ minimum_valid_until_ts: Type.Optional(Type.Integer()) }),
  async handle({ params, query: { minimum_valid_until_ts: untilTs } }, { notary, clock }) {
    const { serverName = '', keyId = '' } = params;
    checkName(serverName);
    const wanted = { minimumValidUntilTs: untilTs ?? clock.now(), keyId };
    return { server_keys: await notary.query(new Map([[serverName, wanted]])) };
  },
});

const WantedOfKey = Type.Object({ minimum_valid_until_ts: Type.Optional(Type.Integer()) });

const bulkQuery = declare({
  operation: 'bulkPerspectivesKeyQuery',
  method: 'POST',
  paths: ['/_matrix/key/v2/query'],
  auth: 'none',
  resource: 'federation',
  runsOn: { group: 'federation', balance: 'origin' },
  summary: 'Keys of several servers, signed by this one',
  source: 'SS 1.19, bulkPerspectivesKeyQuery',
  errors: ['M_INVALID_PARAM', 'M_TOO_LARGE'],
  body: Type.Object({
    server_keys: Type.Record(Type.String(), Type.Record(Type.String(), WantedOfKey)),
  }),
  async handle({ body: { server_keys: asked } }, { notary, clock }) {
    const names = Object.keys(asked);
    if (names.length > serversMax) {
      throw new MatrixError('M_TOO_LARGE', `Ask for at most ${serversMax} servers at once`);
    }
    names.forEach(checkName);
    const wanted: WantedKeys = new Map(
      Object.entries(asked).map(([serverName, keys]) => {
        const times = Object.values(keys).map((key) => key.minimum_valid_until_ts ?? clock.now());
        const [keyId = ''] = Object.keys(keys);
        return [serverName, { minimumValidUntilTs: Math.max(0, ...times), keyId }];
      }),
    );
    return { server_keys: await notary.query(wanted) };
  },
});

export const keyEndpoints = [published, query, bulkQuery];
