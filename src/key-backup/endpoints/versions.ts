import { Type } from 'typebox';
import { clientPaths, endpoint, JsonText } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { noBackup, versionOf, type KeyBackupServices } from '../services.ts';
import type { Backup } from '../store/backups.ts';

const declare = endpoint<KeyBackupServices>();
const runsOn = { group: 'client', balance: 'user' } as const;
const newestPaths = clientPaths('/room_keys/version');
const versionPaths = clientPaths('/room_keys/version/:version');
const params = Type.Object({ version: Type.String() });

/** Bounds what a user keeps here; real ones are under 2 kB. */
const authDataCharactersMax = 65_536;
const algorithm = Type.String({ minLength: 1, maxLength: 255 });
const authData = Type.Record(Type.String(), Type.Unknown());

function authDataText(value: unknown): string {
  const text = JSON.stringify(value);
  if (text.length > authDataCharactersMax) {
    throw new MatrixError('M_TOO_LARGE', `auth_data is over ${authDataCharactersMax} characters`);
  }
  return text;
}

function answerOf(backup: Backup): JsonText {
  const { etag, version } = backup;
  const rest = JSON.stringify({
    algorithm: backup.algorithm,
    count: backup.keyCount,
    etag: String(etag),
    version: String(version),
  });
  return new JsonText(`{"auth_data":${backup.authData},${rest.slice(1)}`);
}

const createBackup = declare({
  operation: 'postRoomKeysVersion',
  method: 'POST',
  paths: newestPaths,
  auth: 'user',
  runsOn,
  summary: 'Makes a new backup of room keys, which is the current one from then on',
  source: 'CS 1.19, postRoomKeysVersion',
  body: Type.Object({ algorithm, auth_data: authData }),
  answers: { 200: Type.Object({ version: Type.String() }) },
  errors: ['M_BAD_JSON', 'M_MISSING_PARAM', 'M_TOO_LARGE'],
  async handle({ body, requester }, { backups }) {
    const text = authDataText(body.auth_data);
    return { version: String(await backups.create(requester.userNid, body.algorithm, text)) };
  },
});

const getNewestBackup = declare({
  operation: 'getRoomKeysVersionCurrent',
  method: 'GET',
  paths: newestPaths,
  auth: 'user',
  runsOn,
  summary: 'The current backup of room keys',
  source: 'CS 1.19, getRoomKeysVersionCurrent',
  errors: ['M_NOT_FOUND'],
  async handle({ requester }, { backups }) {
    const backup = await backups.newest(requester.userNid);
    if (!backup) throw noBackup();
    return answerOf(backup);
  },
});

const getBackup = declare({
  operation: 'getRoomKeysVersion',
  method: 'GET',
  paths: versionPaths,
  auth: 'user',
  runsOn,
  summary: 'A backup of room keys',
  source: 'CS 1.19, getRoomKeysVersion',
  params,
  errors: ['M_NOT_FOUND'],
  async handle({ params: { version }, requester }, { backups }) {
    const backup = await backups.get(requester.userNid, versionOf(version));
    if (!backup) throw noBackup();
    return answerOf(backup);
  },
});

const updateBackup = declare({
  operation: 'putRoomKeysVersion',
  method: 'PUT',
  paths: versionPaths,
  auth: 'user',
  runsOn,
  summary: 'Replaces the auth_data of a backup',
  source: 'CS 1.19, putRoomKeysVersion',
  params,
  body: Type.Object({ algorithm, auth_data: authData, version: Type.Optional(Type.String()) }),
  answers: { 200: Type.Object({}) },
  errors: ['M_INVALID_PARAM', 'M_NOT_FOUND', 'M_BAD_JSON', 'M_TOO_LARGE'],
  async handle({ params: { version }, body, requester }, { backups }) {
    if (body.version !== undefined && body.version !== version) {
      throw new MatrixError('M_INVALID_PARAM', `The body is about version ${body.version}`);
    }
    const text = authDataText(body.auth_data);
    const done = await backups.setAuthData(
      requester.userNid,
      versionOf(version),
      body.algorithm,
      text,
    );
    if (!done.isKnown) throw noBackup();
    if (!done.isUpdated) {
      throw new MatrixError('M_INVALID_PARAM', 'The algorithm of a backup cannot be changed');
    }
    return {};
  },
});

const deleteBackup = declare({
  operation: 'deleteRoomKeysVersion',
  method: 'DELETE',
  paths: versionPaths,
  auth: 'user',
  runsOn,
  summary: 'Deletes a backup with its keys',
  source: 'CS 1.19, deleteRoomKeysVersion',
  params,
  bodyMode: 'none',
  answers: { 200: Type.Object({}) },
  errors: ['M_NOT_FOUND'],
  async handle({ params: { version }, requester }, { backups }) {
    if (!(await backups.delete(requester.userNid, versionOf(version)))) throw noBackup();
    return {};
  },
});

export const versionEndpoints = [
  createBackup,
  getNewestBackup,
  getBackup,
  updateBackup,
  deleteBackup,
];
