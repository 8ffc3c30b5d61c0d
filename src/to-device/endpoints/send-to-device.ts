import { Type } from 'typebox';
import { clientPaths, endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { isServerName, serverNameOf } from '../../matrix/ids.ts';
import type { NewMessage } from '../commit-messages.ts';
import { remoteMessages } from '../remote-messages.ts';
import type { ToDeviceServices } from '../services.ts';

/** As large as an event may be; a message that has to cross to another server is bounded so too. */
const contentBytesMax = 65_536;
/** They are stored as parts of a key, whose size is bounded. */
const nameLengthMax = 512;

const content = Type.Record(Type.String(), Type.Any());
const byDevice = Type.Record(Type.String(), content);

function checkName(name: string, what: string): void {
  if (name.length > nameLengthMax || name.includes('\0')) {
    throw new MatrixError(
      'M_INVALID_PARAM',
      `${what} is longer than ${nameLengthMax} characters or contains NUL`,
    );
  }
}

/** The event as the receiver sees it, as JSON text. Throws M_TOO_LARGE. */
function messageText(senderId: string, type: string, messageContent: unknown): string {
  const text = JSON.stringify(messageContent);
  const isLarge = text.length * 3 > contentBytesMax && Buffer.byteLength(text) > contentBytesMax;
  if (isLarge) {
    throw new MatrixError('M_TOO_LARGE', `A message is over ${contentBytesMax} bytes`);
  }
  return `{"content":${text},"sender":${JSON.stringify(senderId)},"type":${JSON.stringify(type)}}`;
}

/** Sends an event to devices, outside of rooms. */
export const sendToDevice = endpoint<ToDeviceServices>()({
  operation: 'sendToDevice',
  method: 'PUT',
  paths: clientPaths('/sendToDevice/:eventType/:txnId'),
  auth: 'guest',
  runsOn: { group: 'to_device', balance: 'user' },
  summary: 'Sends an event to devices',
  source: 'CS 1.19, sendToDevice',
  body: Type.Object({ messages: Type.Record(Type.String(), byDevice) }),
  errors: ['M_BAD_JSON', 'M_INVALID_PARAM', 'M_TOO_LARGE'],
  async handle({ params, body, requester }, services) {
    const { eventType: type, txnId } = params as { eventType: string; txnId: string };
    checkName(type, 'The event type');
    checkName(txnId, 'The transaction id');
    const { userId: senderId, userNid, deviceNid } = requester;
    const local: string[] = [];
    const remote: Record<string, Record<string, unknown>> = {};
    for (const [userId, devices] of Object.entries(body.messages)) {
      const name = serverNameOf(userId);
      if (name === services.serverName) local.push(userId);
      else {
        for (const one of Object.values(devices)) messageText(senderId, type, one);
        if (isServerName(name) && services.mayContact(name)) remote[userId] = devices;
      }
    }
    const userNids = await services.userNidsOf(local);
    const messages: NewMessage[] = [];
    for (const userId of local) {
      for (const [deviceId, one] of Object.entries(body.messages[userId]!)) {
        // Checked for users who are not known as well.
        const message = messageText(senderId, type, one);
        const nid = userNids.get(userId);
        // No device has NUL in its id, and the database no place for it.
        if (nid === undefined || deviceId.includes('\0')) continue;
        messages.push({ userNid: nid, deviceId, message });
      }
    }
    await services.deliver({
      senderNid: userNid,
      senderDeviceNid: deviceNid ?? 0,
      type,
      txnId,
      nowTs: services.clock.now(),
      messages,
      remote: remoteMessages({
        senderId,
        type,
        requestKey: JSON.stringify([senderId, deviceNid, type, txnId]),
        messages: remote,
      }),
    });
    return {};
  },
});
