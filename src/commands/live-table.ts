import type { WriteStream } from 'node:tty';

const redrawMs = 1_000;
/** Moves up so many lines, to their beginning, and clears what is below. */
const backUp = (lines: number) => (lines === 0 ? '' : `\u001B[${lines}A\r\u001B[J`);

/** A table at the bottom of a terminal, below everything else that is written there. */
export class LiveTable {
  readonly #output: Pick<WriteStream, 'write' | 'columns' | 'rows'>;
  readonly #read: () => string;
  readonly #timer: NodeJS.Timeout;
  #lines = 0;

  constructor(output: Pick<WriteStream, 'write' | 'columns' | 'rows'>, read: () => string) {
    this.#output = output;
    this.#read = read;
    this.#draw('');
    this.#timer = setInterval(() => this.#draw(''), redrawMs);
  }

  /** Writes whole lines above the table. */
  write(text: string): void {
    this.#draw(text);
  }

  /** The table stays as it is; what is written comes below. */
  stop(): void {
    clearInterval(this.#timer);
  }

  /** Lines longer or more than the terminal has would not be where the next drawing looks. */
  #fitting(): string[] {
    const { columns, rows } = this.#output;
    const lines = this.#read()
      .split('\n')
      .slice(0, rows - 1);
    return lines.map((line) =>
      line.length < columns ? line : `${line.slice(0, Math.max(columns - 2, 0))}…`,
    );
  }

  #draw(above: string): void {
    const lines = this.#fitting();
    this.#output.write(`${backUp(this.#lines)}${above}${lines.join('\n')}\n`);
    this.#lines = lines.length;
  }
}
