import { Type } from 'typebox';
import { clientPaths, endpoint, JsonText, StreamedBody } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import {
  allKeysText,
  keptKey,
  keptRoomKeys,
  keyData,
  keyText,
  roomKeyData,
  roomKeysText,
} from '../key-data.ts';
import { changeAnswer, noBackup, putKeys, versionOf, type KeyBackupServices } from '../services.ts';
import type { KeySelection } from '../store/keys.ts';

const declare = endpoint<KeyBackupServices>();
const query = Type.Object({ version: Type.String() });
const changed = { 200: Type.Object({ etag: Type.String(), count: Type.Integer() }) };
const allPaths = clientPaths('/room_keys/keys');
const roomPaths = clientPaths('/room_keys/keys/:roomId');
const keyPaths = clientPaths('/room_keys/keys/:roomId/:sessionId');
/** Some clients send all they have at once; a key takes about a kilobyte. */
const bodyBytesMax = 16 * 1024 * 1024;

const all = {
  auth: 'user',
  runsOn: { group: 'client', balance: 'user' },
  query,
} as const;
const puts = { ...all, bodyBytesMax, answers: changed, method: 'PUT' } as const;
const deletes = { ...all, answers: changed, bodyMode: 'none', method: 'DELETE' } as const;
const putErrors = [
  'M_WRONG_ROOM_KEYS_VERSION',
  'M_NOT_FOUND',
  'M_BAD_JSON',
  'M_INVALID_PARAM',
] as const;
const roomParams = Type.Object({ roomId: Type.String() });
const keyParams = Type.Object({ roomId: Type.String(), sessionId: Type.String() });

const putAll = declare({
  ...puts,
  operation: 'putRoomKeys',
  paths: allPaths,
  summary: 'Adds keys to the backup',
  source: 'CS 1.19, putRoomKeys',
  errors: putErrors,
  body: Type.Object({ rooms: Type.Record(Type.String(), roomKeyData) }),
  handle({ query: { version }, body, requester }, services) {
    const added = Object.entries(body.rooms).flatMap(([roomId, keys]) =>
      keptRoomKeys(roomId, keys),
    );
    return putKeys(services, requester.userNid, versionOf(version), added);
  },
});

const putRoom = declare({
  ...puts,
  operation: 'putRoomKeysByRoomId',
  paths: roomPaths,
  summary: 'Adds keys of a room to the backup',
  source: 'CS 1.19, putRoomKeysByRoomId',
  errors: putErrors,
  params: roomParams,
  body: roomKeyData,
  handle({ params, query: { version }, body, requester }, services) {
    const added = keptRoomKeys(params.roomId, body);
    return putKeys(services, requester.userNid, versionOf(version), added);
  },
});

const putKey = declare({
  ...puts,
  operation: 'putRoomKeyBySessionId',
  paths: keyPaths,
  summary: 'Adds a key to the backup',
  source: 'CS 1.19, putRoomKeyBySessionId',
  errors: putErrors,
  params: keyParams,
  body: keyData,
  handle({ params, query: { version }, body, requester }, services) {
    const added = keptKey(params.roomId, params.sessionId, body);
    return putKeys(services, requester.userNid, versionOf(version), [added]);
  },
});

/** Throws M_NOT_FOUND unless the backup is there. */
async function found({ backups }: KeyBackupServices, userNid: number, version: string) {
  const backup = await backups.get(userNid, versionOf(version));
  if (!backup) throw noBackup();
  return backup.version;
}

const getAll = declare({
  ...all,
  operation: 'getRoomKeys',
  method: 'GET',
  paths: allPaths,
  summary: 'The keys of a backup',
  source: 'CS 1.19, getRoomKeys',
  errors: ['M_NOT_FOUND'],
  async handle({ query: { version }, requester }, services) {
    const { userNid } = requester;
    const known = await found(services, userNid, version);
    return new StreamedBody(allKeysText(services.keys.pages(userNid, known, undefined)));
  },
});

const getRoom = declare({
  ...all,
  operation: 'getRoomKeysByRoomId',
  method: 'GET',
  paths: roomPaths,
  summary: 'The keys of a room in a backup',
  source: 'CS 1.19, getRoomKeysByRoomId',
  errors: ['M_NOT_FOUND'],
  params: roomParams,
  async handle({ params, query: { version }, requester }, services) {
    const { userNid } = requester;
    const known = await found(services, userNid, version);
    return new StreamedBody(roomKeysText(services.keys.pages(userNid, known, params.roomId)));
  },
});

const getKey = declare({
  ...all,
  operation: 'getRoomKeyBySessionId',
  method: 'GET',
  paths: keyPaths,
  summary: 'A key in a backup',
  source: 'CS 1.19, getRoomKeyBySessionId',
  errors: ['M_NOT_FOUND'],
  params: keyParams,
  async handle({ params, query: { version }, requester }, { keys }) {
    const { roomId, sessionId } = params;
    const key = await keys.get(requester.userNid, versionOf(version), roomId, sessionId);
    if (!key) throw new MatrixError('M_NOT_FOUND', 'No such key in this backup');
    return new JsonText(keyText(key));
  },
});

async function deleted(
  { keys }: KeyBackupServices,
  userNid: number,
  version: string,
  which: KeySelection,
) {
  const change = await keys.delete(userNid, versionOf(version), which);
  if (!change) throw noBackup();
  return changeAnswer(change);
}

const deleteAll = declare({
  ...deletes,
  operation: 'deleteRoomKeys',
  paths: allPaths,
  summary: 'Deletes the keys of a backup',
  source: 'CS 1.19, deleteRoomKeys',
  errors: ['M_NOT_FOUND'],
  handle: ({ query: { version }, requester }, services) =>
    deleted(services, requester.userNid, version, {}),
});

const deleteRoom = declare({
  ...deletes,
  operation: 'deleteRoomKeysByRoomId',
  paths: roomPaths,
  summary: 'Deletes the keys of a room in a backup',
  source: 'CS 1.19, deleteRoomKeysByRoomId',
  errors: ['M_NOT_FOUND'],
  params: roomParams,
  handle: ({ params, query: { version }, requester }, services) =>
    deleted(services, requester.userNid, version, params),
});

const deleteKey = declare({
  ...deletes,
  operation: 'deleteRoomKeyBySessionId',
  paths: keyPaths,
  summary: 'Deletes a key in a backup',
  source: 'CS 1.19, deleteRoomKeyBySessionId',
  errors: ['M_NOT_FOUND'],
  params: keyParams,
  handle: ({ params, query: { version }, requester }, services) =>
    deleted(services, requester.userNid, version, params),
});

export const keyEndpoints = [
  putAll,
  putRoom,
  putKey,
  getAll,
  getRoom,
  getKey,
  deleteAll,
  deleteRoom,
  deleteKey,
];
