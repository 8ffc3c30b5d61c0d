import { Type } from 'typebox';
import { clientPaths, endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import type { JsonObject } from '../../matrix/pdu.ts';
import type { StreamRow } from '../../streams/define-stream.ts';
import { writeAnnounced } from '../announce.ts';
import type { UserRef } from '../key-directory.ts';
import type { KeysServices } from '../services.ts';
import { checkOwnSignatures, checkUserSignature, type CheckedSignature } from '../signatures.ts';
import { addOwnSignatures, addUserSignatures } from '../store/device-lists.ts';
import { userSignatureStream, type UserSignatureRow } from '../streams.ts';

type OfUser = CheckedSignature & UserRef;

function writeOwn(signer: UserRef, found: readonly CheckedSignature[], services: KeysServices) {
  const params = [
    signer.userNid,
    found.map(({ keyId }) => keyId),
    found.map(({ targetId }) => targetId),
    found.map(({ signature }) => signature),
  ];
  const item = { statement: addOwnSignatures as never, params };
  return writeAnnounced(services.committer, signer, item);
}

function writeOfOthers(signer: UserRef, found: readonly OfUser[], { committer }: KeysServices) {
  const params = [
    signer.userNid,
    found.map(({ keyId }) => keyId),
    found.map(({ userNid }) => userNid),
    found.map(({ targetId }) => targetId),
    found.map(({ signature }) => signature),
  ];
  const targetIds = [...new Set(found.map(({ userId }) => userId))];
  const row = { userNid: signer.userNid, targetIds };
  return committer.write<{ pos: number }, void>(
    { statement: addUserSignatures as never, params },
    (rows): { result: undefined; publish: StreamRow<UserSignatureRow>[] } => ({
      result: undefined,
      publish: rows.slice(0, 1).map(({ pos }) => ({ stream: userSignatureStream, pos, row })),
    }),
  );
}

/** Keeps signatures of the user: on own devices and the own master key, on others' master keys. */
export const uploadSignatures = endpoint<KeysServices>()({
  operation: 'uploadCrossSigningSignatures',
  method: 'POST',
  paths: clientPaths('/keys/signatures/upload'),
  auth: 'user',
  runsOn: { group: 'client', balance: 'user' },
  summary: 'Publishes signatures of devices and keys',
  source: 'CS 1.19, uploadCrossSigningSignatures',
  body: Type.Record(
    Type.String(),
    Type.Record(Type.String(), Type.Record(Type.String(), Type.Any())),
  ),
  errors: ['M_BAD_JSON'],
  async handle({ body, requester }, services) {
    const signer = { userNid: requester.userNid, userId: requester.userId };
    const nids = await services.userNidsOf(Object.keys(body));
    const users = [signer, ...Array.from(nids, ([userId, userNid]) => ({ userId, userNid }))];
    const keys = await services.directory.of(users);
    const own = keys.get(signer.userNid)!;
    const ofOwn: CheckedSignature[] = [];
    const ofOthers: OfUser[] = [];
    const failures: Record<string, Record<string, object>> = {};

    for (const [userId, objects] of Object.entries(body)) {
      for (const [targetId, object] of Object.entries(objects) as [string, JsonObject][]) {
        try {
          if (userId === signer.userId) {
            ofOwn.push(...checkOwnSignatures(userId, targetId, object, own));
          } else {
            const userNid = nids.get(userId);
            const target = userNid === undefined ? undefined : keys.get(userNid);
            const found = checkUserSignature(signer.userId, targetId, object, { own, target });
            ofOthers.push({ ...found, userId, userNid: userNid! });
          }
        } catch (error) {
          if (!(error instanceof MatrixError)) throw error;
          (failures[userId] ??= {})[targetId] = error.body();
        }
      }
    }
    await Promise.all([
      ofOwn.length > 0 ? writeOwn(signer, ofOwn, services) : null,
      ofOthers.length > 0 ? writeOfOthers(signer, ofOthers, services) : null,
    ]);
    return { failures };
  },
});
