import { Type, type Static } from 'typebox';
import { MatrixError } from '../kernel/errors.ts';
import type { BackedUpKey } from './store/keys.ts';

const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

/** `KeyBackupData` of the specification. */
export const keyData = Type.Object({
  first_message_index: count,
  forwarded_count: count,
  is_verified: Type.Boolean(),
  session_data: Type.Record(Type.String(), Type.Unknown()),
});
export type KeyData = Static<typeof keyData>;

/** `RoomKeyBackup`: keys by session id. */
export const roomKeyData = Type.Object({ sessions: Type.Record(Type.String(), keyData) });
export type RoomKeyData = Static<typeof roomKeyData>;

/** Ids are part of an index, which takes short ones only. */
const idBytesMax = 255;

function checkId(id: string, what: string): void {
  if (id === '' || Buffer.byteLength(id) > idBytesMax || id.includes('\0')) {
    throw new MatrixError('M_INVALID_PARAM', `A ${what} is empty, too long or has a zero byte`);
  }
}

/** A key as it is kept. Throws M_INVALID_PARAM for ids that cannot be. */
export function keptKey(roomId: string, sessionId: string, data: KeyData): BackedUpKey {
  checkId(roomId, 'room id');
  checkId(sessionId, 'session id');
  return {
    roomId,
    sessionId,
    isVerified: data.is_verified,
    firstMessageIndex: data.first_message_index,
    forwardedCount: data.forwarded_count,
    sessionData: JSON.stringify(data.session_data),
  };
}

export function keptRoomKeys(roomId: string, { sessions }: RoomKeyData): BackedUpKey[] {
  return Object.entries(sessions).map(([sessionId, data]) => keptKey(roomId, sessionId, data));
}

/** JSON text of a key as clients see it. */
export function keyText(key: BackedUpKey): string {
  return (
    `{"first_message_index":${key.firstMessageIndex},"forwarded_count":${key.forwardedCount}` +
    `,"is_verified":${key.isVerified},"session_data":${key.sessionData}}`
  );
}

const sessionsText = (keys: readonly BackedUpKey[]) =>
  keys.map((key) => `${JSON.stringify(key.sessionId)}:${keyText(key)}`).join(',');

/** JSON text of one room's keys, a piece for each page. */
export async function* roomKeysText(
  pages: AsyncIterable<readonly BackedUpKey[]>,
): AsyncGenerator<string> {
  let before = '{"sessions":{';
  for await (const keys of pages) {
    yield before + sessionsText(keys);
    before = ',';
  }
  yield '}}';
}

/** JSON text of keys that come ordered by room, a piece for each page. */
export async function* allKeysText(
  pages: AsyncIterable<readonly BackedUpKey[]>,
): AsyncGenerator<string> {
  let text = '{"rooms":{';
  let roomId: string | null = null;
  for await (const keys of pages) {
    for (const [id, ofRoom] of Map.groupBy(keys, (key) => key.roomId)) {
      if (id === roomId) text += ',';
      else text += `${roomId === null ? '' : '}},'}${JSON.stringify(id)}:{"sessions":{`;
      text += sessionsText(ofRoom);
      roomId = id;
    }
    yield text;
    text = '';
  }
  yield roomId === null ? '}}' : '}}}}';
}
