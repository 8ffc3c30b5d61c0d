import { Type, type Static } from 'typebox';
import { clientPaths, endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import type { JsonObject } from '../../matrix/pdu.ts';
import { writeAnnounced } from '../announce.ts';
import { checkCrossSigningKeys, hasSameKeys } from '../cross-signing.ts';
import type { KeysServices } from '../services.ts';
import { signaturesSchema } from '../signed-objects.ts';
import { setCrossSigningKeys } from '../store/device-lists.ts';

const crossSigningKey = Type.Object({
  user_id: Type.String(),
  usage: Type.Array(Type.String()),
  keys: Type.Record(Type.String(), Type.String()),
  signatures: Type.Optional(signaturesSchema),
});
const body = Type.Object({
  master_key: Type.Optional(crossSigningKey),
  self_signing_key: Type.Optional(crossSigningKey),
  user_signing_key: Type.Optional(crossSigningKey),
  auth: Type.Optional(Type.Record(Type.String(), Type.Any())),
});

/** A session of interactive authentication holds the keys; a later request may leave them out. */
const isComplete = (given: Static<typeof body>) =>
  given.master_key !== undefined ||
  given.self_signing_key !== undefined ||
  given.user_signing_key !== undefined;

function keysOf(given: Static<typeof body>) {
  return {
    ...(given.master_key && { master: given.master_key as JsonObject }),
    ...(given.self_signing_key && { self_signing: given.self_signing_key as JsonObject }),
    ...(given.user_signing_key && { user_signing: given.user_signing_key as JsonObject }),
  };
}

/** The first keys, and the same keys again, need no more than the token (MSC3967). */
export const uploadCrossSigningKeys = endpoint<KeysServices>()({
  operation: 'uploadCrossSigningKeys',
  method: 'POST',
  paths: clientPaths('/keys/device_signing/upload'),
  auth: 'user',
  runsOn: { group: 'client', balance: 'user' },
  summary: "Publishes the user's cross-signing keys",
  source: 'CS 1.19, uploadCrossSigningKeys; MSC3967',
  body,
  errors: [
    'M_BAD_JSON',
    'M_FORBIDDEN',
    'M_INVALID_PARAM',
    'M_INVALID_SIGNATURE',
    'M_MISSING_PARAM',
  ],
  async handle({ body: given, requester, request }, services) {
    const { userNid, userId } = requester;
    const known = (await services.directory.of([{ userNid, userId }])).get(userNid)!;

    async function store(wanted: Static<typeof body>): Promise<object> {
      const keys = checkCrossSigningKeys(userId, keysOf(wanted), known);
      if (keys.length === 0) throw new MatrixError('M_MISSING_PARAM', 'There is no key');
      // Signatures are by device id or by key: one name must not stand for both.
      const names = keys.map(({ publicKey }) => publicKey);
      if (await services.hasDevice(userNid, names)) {
        throw new MatrixError('M_FORBIDDEN', 'A key is the id of one of your devices');
      }
      const params = [userNid, keys.map(({ usage }) => usage), names, keys.map(({ json }) => json)];
      const item = { statement: setCrossSigningKeys as never, params };
      await writeAnnounced(services.committer, { userNid, userId }, item);
      return {};
    }

    if (isComplete(given)) {
      const keys = checkCrossSigningKeys(userId, keysOf(given), known);
      if (known.crossSigning.master && hasSameKeys(keys, known)) return {};
    }
    if (!known.crossSigning.master || requester.appservice) return store(given);
    const { replacements, clock } = services;
    if (given.master_key && (await replacements.isAllowed(userNid, clock.now()))) {
      const stored = await store(given);
      await replacements.end(userNid);
      return stored;
    }
    return services.uiAuth.authorise(
      {
        body: given,
        request,
        requester,
        flows: await services.reauthFlows(userId),
        description: 'add a device signing key to your account',
      },
      (done) => store(done.body as Static<typeof body>),
    );
  },
});
