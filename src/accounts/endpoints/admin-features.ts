import { Type } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { userFeatures } from '../user-features.ts';
import type { AccountServices } from '../services.ts';

const declare = endpoint<AccountServices>();
const paths = ['/_synapse/admin/v1/experimental_features/:userId'];
const shared = {
  auth: 'admin',
  runsOn: { group: 'admin', balance: 'none' },
  source: 'Synapse admin API, "Experimental Features API"',
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_INVALID_PARAM', 'M_UNKNOWN'],
} as const;

const getFeatures = declare({
  ...shared,
  operation: 'adminGetExperimentalFeatures',
  method: 'GET',
  paths,
  summary: 'Which proposals are switched on for a user alone',
  async handle({ params }, { moderation, userAdministration }) {
    const { userNid } = await moderation.anyAccount(params['userId']!);
    const enabled = await userAdministration.featuresOf(userNid);
    return { features: Object.fromEntries(userFeatures.map((name) => [name, enabled.has(name)])) };
  },
});

const setFeatures = declare({
  ...shared,
  operation: 'adminSetExperimentalFeatures',
  method: 'PUT',
  paths,
  summary: 'Switches proposals on or off for a user',
  body: Type.Object({ features: Type.Record(Type.String(), Type.Boolean()) }),
  async handle({ params, body: { features } }, { moderation, userAdministration }) {
    const { userNid } = await moderation.localAccount(params['userId']!);
    const names = Object.keys(features);
    if (names.length === 0) throw new MatrixError('M_UNKNOWN', 'You must provide features to set.');
    const unknown = names.find((name) => !(userFeatures as readonly string[]).includes(name));
    if (unknown !== undefined) {
      const message = `'${unknown}' is not recognised as a valid experimental feature.`;
      throw new MatrixError('M_UNKNOWN', message);
    }
    await userAdministration.setFeatures(userNid, features);
    return {};
  },
});

export const adminFeatureEndpoints = [getFeatures, setFeatures];
