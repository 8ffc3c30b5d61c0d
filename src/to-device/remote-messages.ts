import { hash } from 'node:crypto';
import { serverNameOf } from '../matrix/ids.ts';
import type { RemoteMessage } from './commit-messages.ts';

/** Of one EDU; a single message that is larger has one of its own. */
const eduBytesMax = 65_536;

/** Messages of one request: user id → device id or `*` → content. */
export interface RemoteMessages {
  senderId: string;
  type: string;
  /** The same for a repeated request, so that the other server takes the messages once. */
  requestKey: string;
  messages: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** `m.direct_to_device` EDUs for the servers of the users (server-server spec, "Send-to-device"). */
export function remoteMessages(request: RemoteMessages): RemoteMessage[] {
  const { senderId: sender, type, requestKey, messages } = request;
  const found: RemoteMessage[] = [];
  const byServer = Map.groupBy(Object.keys(messages), serverNameOf);
  for (const [serverName, userIds] of byServer) {
    let part: Record<string, Record<string, unknown>> = {};
    let partBytes = 0;
    let number = 0;
    const end = () => {
      if (partBytes === 0) return;
      const id = hash('sha256', JSON.stringify([requestKey, serverName, number++]), 'base64url');
      const content = { sender, type, message_id: id, messages: part };
      found.push({ serverName, edu: JSON.stringify({ edu_type: 'm.direct_to_device', content }) });
      part = {};
      partBytes = 0;
    };
    for (const userId of userIds) {
      for (const [deviceId, content] of Object.entries(messages[userId]!)) {
        const bytes = Buffer.byteLength(JSON.stringify([userId, deviceId, content]));
        if (partBytes + bytes > eduBytesMax) end();
        (part[userId] ??= {})[deviceId] = content;
        partBytes += bytes;
      }
    }
    end();
  }
  return found;
}
