import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';

/** Asks questions, on a terminal or of a pipe that has an answer a line. */
export class Terminal {
  #isHidden = false;
  readonly #output = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      if (!this.#isHidden) process.stdout.write(chunk);
      done();
    },
  });
  readonly #lines = createInterface({
    input: process.stdin,
    output: this.#output,
    terminal: process.stdin.isTTY,
  });
  readonly #answers: AsyncIterator<string> = this.#lines[Symbol.asyncIterator]();

  constructor() {
    this.#lines.once('SIGINT', () => process.exit(130));
  }

  async #answer(): Promise<string> {
    const answer = await this.#answers.next();
    if (answer.done)
      throw new Error('the input ended before everything was answered; --help shows the options');
    return answer.value;
  }

  async ask(question: string): Promise<string> {
    this.#lines.setPrompt(question);
    this.#lines.prompt();
    return (await this.#answer()).trim();
  }

  /** Asks without showing what is typed. */
  async askSecretly(question: string): Promise<string> {
    process.stdout.write(question);
    this.#isHidden = true;
    try {
      return await this.#answer();
    } finally {
      this.#isHidden = false;
      process.stdout.write('\n');
    }
  }

  close(): void {
    this.#lines.close();
  }
}
