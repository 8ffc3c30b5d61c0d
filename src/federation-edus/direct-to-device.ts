import { serverNameOf } from '../matrix/ids.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import type { Clock } from '../kernel/clock.ts';
import type { NewMessage, ToDevice } from '../to-device/module.ts';
import { messageBytesMax, messagesMax, nameLengthMax } from './limits.ts';
import { objectIn, ownUserIn, textIn, type EduHandler } from './reading.ts';

export interface DirectToDeviceNeeds {
  serverName: string;
  clock: Clock;
  /** The numbers of those of the users who are known here. */
  userNidsOf(userIds: readonly string[]): Promise<ReadonlyMap<string, number>>;
  deliver: ToDevice['deliver'];
}

interface Message {
  userId: string;
  deviceId: string;
  content: JsonObject;
}

/** The messages for users of this server; null: they are too many or not of the form. */
function messagesIn(content: JsonObject, serverName: string): Message[] | null {
  const users = objectIn(content['messages']);
  if (!users) return null;
  const found: Message[] = [];
  for (const [userId, value] of Object.entries(users)) {
    if (serverNameOf(userId) !== serverName) continue;
    for (const [deviceId, one] of Object.entries(objectIn(value) ?? {})) {
      const message = objectIn(one);
      if (!message || deviceId.includes('\0')) continue;
      found.push({ userId, deviceId, content: message });
      if (found.length > messagesMax) return null;
    }
  }
  return found;
}

/** `m.direct_to_device`: messages of a user of another server to devices of users of this one. */
export function createDirectToDevice(needs: DirectToDeviceNeeds): EduHandler {
  const { serverName, clock, userNidsOf, deliver } = needs;
  return async (origin, edu) => {
    const sender = ownUserIn(edu['sender'], origin);
    const type = textIn(edu['type'], nameLengthMax);
    const messageId = textIn(edu['message_id'], nameLengthMax);
    const found = messagesIn(edu, serverName);
    if (sender === null || type === null || messageId === null || !found) return;
    const nids = await userNidsOf([...new Set(found.map(({ userId }) => userId))]);
    const frame = `,"sender":${JSON.stringify(sender)},"type":${JSON.stringify(type)}}`;
    const messages: NewMessage[] = [];
    for (const { userId, deviceId, content } of found) {
      const userNid = nids.get(userId);
      const text = JSON.stringify(content);
      if (userNid === undefined || Buffer.byteLength(text) > messageBytesMax) continue;
      messages.push({ userNid, deviceId, message: `{"content":${text}${frame}` });
    }
    if (messages.length === 0) return;
    // Of no user of this server: the id counts among those of the other server.
    const transaction = { senderNid: 0, senderDeviceNid: 0, type: origin, txnId: messageId };
    await deliver({ ...transaction, nowTs: clock.now(), messages, remote: [] });
  };
}
