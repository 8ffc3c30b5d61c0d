import { declaredStreams, type Stream, type StreamRow } from './define-stream.ts';

/**
 * A message of the bus: a line `<sender> <number>`, then a line `<stream> <position> <row as JSON>`
 * for each row. Lines, so that a process skips what it does not read without parsing it.
 */
export interface BusMessage {
  /** Tag of the process that sent it. */
  sender: string;
  /** Counts the sender's messages, from 1. */
  number: number;
  rows: readonly StreamRow[];
}

/** Stands for streams of a newer version: their positions count all the same. */
const unknownStream: Stream<unknown> = { name: '', durable: true, shardedBy: 'none' };
/** What is known of a row whose content nobody here reads. */
const unread: unknown = Object.freeze({});

export function encodeMessage({ sender, number, rows }: BusMessage): string {
  let text = `${sender} ${number}`;
  for (const { stream, pos, row } of rows) {
    const plain = stream.toWire ? stream.toWire(row) : row;
    text += `\n${stream.name} ${pos} ${JSON.stringify(plain)}`;
  }
  return text;
}

/** Reads messages of others than `tag`; `isRead` says whose content is wanted. Null: it is one's own. */
export function createDecoder(tag: string, isRead: (stream: Stream<unknown>) => boolean) {
  const ownHead = `${tag} `;
  let byName = new Map<string, Stream<unknown>>();

  function streamOf(name: string): Stream<unknown> | undefined {
    const known = byName.get(name);
    if (known) return known;
    byName = new Map(declaredStreams().map((stream) => [stream.name, stream]));
    return byName.get(name);
  }

  return function decode(text: string): BusMessage | null {
    if (text.startsWith(ownHead)) return null;
    const [head = '', ...lines] = text.split('\n');
    const [sender = '', number = ''] = head.split(' ');
    const rows: StreamRow[] = [];
    for (const line of lines) {
      const afterName = line.indexOf(' ');
      const afterPos = line.indexOf(' ', afterName + 1);
      const stream = streamOf(line.slice(0, afterName)) ?? unknownStream;
      const pos = Number(line.slice(afterName + 1, afterPos));
      const row = isRead(stream) ? (JSON.parse(line.slice(afterPos + 1)) as unknown) : unread;
      rows.push({ stream, pos, row });
    }
    return { sender, number: Number(number), rows };
  };
}
