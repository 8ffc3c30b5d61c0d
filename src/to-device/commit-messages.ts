import type { BatchItem } from '../database/database.ts';
import type { CommitKind } from '../streams/committer.ts';
import type { StreamRow } from '../streams/define-stream.ts';
import {
  deliverMessages,
  removeAcknowledged,
  separator,
  type DeliveredRow,
} from './store/inbox.ts';
import { queueMessages } from './store/outbox.ts';
import { toDeviceOutboxStream, toDeviceStream, type ToDeviceRow } from './streams.ts';

/** One message for a device of a user of this server, or for all of them: `*`. */
export interface NewMessage {
  userNid: number;
  deviceId: string;
  /** The event as `/sync` shows it, as JSON text. */
  message: string;
}

/** A message for devices of another server. */
export interface RemoteMessage {
  serverName: string;
  /** JSON text of the EDU. */
  edu: string;
}

/** The messages of one request. */
export interface Sending {
  /** 0: a user of another server. */
  senderNid: number;
  /** 0: the request came without a device. */
  senderDeviceNid: number;
  /** What transaction ids count in: the event type, or the name of the other server. */
  type: string;
  txnId: string;
  /** Milliseconds since 1970. */
  nowTs: number;
  messages: readonly NewMessage[];
  /** Those for users of other servers. */
  remote: readonly RemoteMessage[];
}

const keyOf = (sending: Sending) =>
  JSON.stringify([sending.senderNid, sending.senderDeviceNid, sending.type, sending.txnId]);

/** Those of which no earlier one has the same transaction id. */
function firsts(sendings: readonly Sending[]): Sending[] {
  if (sendings.length === 1) return [...sendings];
  const byKey = new Map<string, Sending>();
  for (const sending of sendings) {
    const key = keyOf(sending);
    if (!byKey.has(key)) byKey.set(key, sending);
  }
  return [...byKey.values()];
}

const transactionsOf = (sendings: readonly Sending[]) => [
  sendings.map((sending) => sending.senderNid),
  sendings.map((sending) => sending.senderDeviceNid),
  sendings.map((sending) => sending.type),
  sendings.map((sending) => sending.txnId),
  sendings.map((sending) => sending.nowTs),
];

/** Puts those for other servers into the outbox; null: there are none. */
function queueing(sendings: readonly Sending[]): BatchItem | null {
  const messages = sendings.flatMap((sending) => sending.remote);
  if (messages.length === 0) return null;
  const params = [
    ...transactionsOf(sendings),
    sendings.flatMap((sending, i) => sending.remote.map(() => i + 1)),
    messages.map(({ serverName }) => serverName),
    messages.map(({ edu }) => edu),
  ];
  return { statement: queueMessages as never, params };
}

/** All messages that are sent together are written with one statement, and one for other servers. */
export const sendingCommits: CommitKind<Sending, void> = {
  name: 'to_device',
  statements(units) {
    const sendings = firsts(units);
    const messages = sendings.flatMap((sending) => sending.messages);
    const params = [
      ...transactionsOf(sendings),
      sendings.flatMap((sending, i) => sending.messages.map(() => i + 1)),
      messages.map((message) => message.userNid),
      messages.map((message) => message.deviceId),
      messages.map((message) => message.message).join(separator),
    ];
    const queued = queueing(sendings);
    const delivered = { statement: deliverMessages as never, params };
    return queued ? [queued, delivered] : [delivered];
  },
  complete(units, rows) {
    const messages = firsts(units).flatMap((sending) => sending.messages);
    const queued = (rows.length > 1 ? rows[0] : []) as { pos: number; serverName: string }[];
    const publish: StreamRow[] = queued.map(({ pos, serverName }) => ({
      stream: toDeviceOutboxStream,
      pos,
      row: { serverName },
    }));
    for (const { nth, pos, userNid, deviceNid } of rows.at(-1) as DeliveredRow[]) {
      const row: ToDeviceRow = { userNid, deviceNid, message: messages[nth - 1]!.message };
      publish.push({ stream: toDeviceStream, pos, row });
    }
    return { results: units.map(() => undefined), publish };
  },
};

/** A device says, by syncing on, that it has got everything up to a position. */
export interface Acknowledgement {
  userNid: number;
  deviceNid: number;
  pos: number;
}

export const acknowledgementCommits: CommitKind<Acknowledgement, void> = {
  name: 'to_device_acknowledgements',
  statements: (units) => [
    {
      statement: removeAcknowledged as never,
      params: [
        units.map((unit) => unit.userNid),
        units.map((unit) => unit.deviceNid),
        units.map((unit) => unit.pos),
      ],
    },
  ],
  complete: (units) => ({ results: units.map(() => undefined), publish: [] }),
};
