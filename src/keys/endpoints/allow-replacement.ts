import { endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import type { KeysServices } from '../services.ts';

/** As in Synapse. */
const allowedMs = 10 * 60 * 1000;

export const allowReplacement = endpoint<KeysServices>()({
  operation: 'adminAllowCrossSigningReplacement',
  method: 'POST',
  paths: ['/_synapse/admin/v1/users/:userId/_allow_cross_signing_replacement_without_uia'],
  auth: 'admin',
  runsOn: { group: 'admin', balance: 'none' },
  summary: 'For ten minutes a user needs only the token to replace cross-signing keys, once',
  source:
    'Synapse admin API, "Allow replacing master cross-signing key without User-Interactive Auth"',
  bodyMode: 'optional',
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND', 'M_INVALID_PARAM'],
  async handle({ params }, { accountOf, directory, replacements, clock }) {
    const account = await accountOf(params['userId']!);
    const { crossSigning } = (await directory.of([account])).get(account.userNid)!;
    if (!crossSigning.master) {
      throw new MatrixError('M_NOT_FOUND', 'User has no master cross-signing key');
    }
    const untilTs = clock.now() + allowedMs;
    await replacements.allow(account.userNid, untilTs);
    return { updatable_without_uia_before_ms: untilTs };
  },
});
