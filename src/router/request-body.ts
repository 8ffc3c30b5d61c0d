import type { IncomingMessage } from 'node:http';
import type { BodyFraming } from './forwarded-head.ts';

/** Where a body goes: a connection to a worker. */
export interface BodySink {
  /** False: wait until `drained`. */
  write(chunk: Buffer | string): boolean;
  requestSent(): void;
}

/** So much of a body is kept to be sent again when a worker fails. Events are at most 64 KiB. */
const keptBytesMax = 128 * 1024;

/** The body of a request on its way to a worker, no faster than that takes it. */
export class RequestBody {
  readonly #req: IncomingMessage;
  readonly #framing: BodyFraming;
  #kept: Buffer[] | null = [];
  #keptBytes = 0;
  #isComplete: boolean;
  #isReading = false;
  #sink: BodySink | null = null;

  readonly #progress: () => void;

  constructor(req: IncomingMessage, framing: BodyFraming, progress: () => void) {
    this.#req = req;
    this.#progress = progress;
    this.#framing = framing;
    this.#isComplete = framing === 'none';
  }

  /** What was read can be sent to another worker. */
  get isReplayable(): boolean {
    return this.#kept !== null;
  }

  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Sends what there is, and then what comes, to a worker. */
  sendTo(sink: BodySink): void {
    this.#sink = sink;
    for (const chunk of this.#kept ?? []) this.#write(sink, chunk);
    if (this.#isComplete) this.#end(sink);
    else if (this.#isReading) this.#req.resume();
    else this.#read();
  }

  #read(): void {
    this.#isReading = true;
    this.#req.on('data', (chunk: Buffer) => {
      this.#keep(chunk);
      this.#progress();
      if (this.#sink && !this.#write(this.#sink, chunk)) this.#req.pause();
    });
    this.#req.on('end', () => {
      this.#isComplete = true;
      if (this.#sink) this.#end(this.#sink);
    });
    this.#req.resume();
  }

  #keep(chunk: Buffer): void {
    this.#keptBytes += chunk.length;
    if (this.#keptBytes > keptBytesMax) this.#kept = null;
    else this.#kept?.push(chunk);
  }

  #write(sink: BodySink, chunk: Buffer): boolean {
    if (this.#framing !== 'chunked') return sink.write(chunk);
    sink.write(`${chunk.length.toString(16)}\r\n`);
    sink.write(chunk);
    return sink.write('\r\n');
  }

  #end(sink: BodySink): void {
    if (this.#framing === 'chunked') sink.write('0\r\n\r\n');
    sink.requestSent();
  }

  drained(): void {
    if (this.#isReading && this.#sink) this.#req.resume();
  }

  /** The worker is gone; nothing is read until there is another. */
  detach(): void {
    this.#sink = null;
    if (this.#isReading && !this.#isComplete) this.#req.pause();
  }

  /** The answer has begun: nothing will be sent again. */
  forget(): void {
    this.#kept = null;
  }
}
