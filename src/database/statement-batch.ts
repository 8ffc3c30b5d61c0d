import pg from 'pg';
import { columnTypes } from './column-types.ts';
import { paramText } from './param-text.ts';
import type { Statement } from './statement.ts';

/** Any declared statement. */
export type AnyStatement = Statement<never, unknown>;

export interface BatchItem {
  statement: AnyStatement;
  params: readonly unknown[];
}

interface Column {
  name: string;
  parse(text: string): unknown;
}

/** What is known of a statement on a connection. */
interface Prepared {
  wasSent: boolean;
  /** PostgreSQL has it: it has answered, and nothing has failed since. */
  isSure: boolean;
  /** Null until PostgreSQL has described them. */
  columns: readonly Column[] | null;
}

/** What is used of the driver's connection: it writes messages of the extended query protocol. */
interface Wire {
  readonly stream: { cork(): void; uncork(): void };
  parse(message: { name: string; text: string }): void;
  bind(message: { statement: string; values: unknown[] }): void;
  describe(message: { type: 'P' }): void;
  execute(message: null): void;
  close(message: { type: 'S'; name: string }): void;
  sync(): void;
}

interface FieldsMessage {
  fields: readonly { name: string; dataTypeID: number }[];
}

const preparedOn = new WeakMap<object, Map<string, Prepared>>();

function preparedOf(connection: Wire): Map<string, Prepared> {
  const known = preparedOn.get(connection);
  if (known) return known;
  const made = new Map<string, Prepared>();
  preparedOn.set(connection, made);
  return made;
}

const columnOf = ({ name, dataTypeID }: FieldsMessage['fields'][number]): Column => ({
  name,
  parse: columnTypes.getTypeParser(dataTypeID),
});

function rowOf(columns: readonly Column[], values: readonly (string | null)[]): unknown {
  const row: Record<string, unknown> = {};
  for (let i = 0; i < columns.length; i++) {
    const { name, parse } = columns[i]!;
    const value = values[i]!;
    row[name] = value === null ? null : parse(value);
  }
  return row;
}

/**
 * Statements that are sent together, with one Sync at their end: PostgreSQL answers them together, and
 * they are one transaction without `begin` and `commit` (PostgreSQL manual, "Pipelining"). Each is
 * prepared once per connection, under its name, and its columns are described once.
 */
export class StatementBatch extends pg.Query {
  /** The rows of each statement. */
  readonly answer: Promise<unknown[][]>;
  readonly #items: readonly { statement: AnyStatement; values: unknown[] }[];
  readonly #results: unknown[][] = [];
  #known: Map<string, Prepared> | null = null;
  readonly #prepared: Prepared[] = [];
  #current: unknown[] = [];
  #failure: unknown = null;
  #resolve!: (rows: unknown[][]) => void;
  #reject!: (error: unknown) => void;

  /** Throws TypeError for parameters that cannot be sent. */
  constructor(items: readonly BatchItem[]) {
    super('');
    this.#items = items.map(({ statement, params }) => ({
      statement,
      values: params.map(paramText),
    }));
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Called by the driver in its turn, as all that follow. */
  override submit = (connection: unknown): null => {
    const wire = connection as Wire;
    const known = (this.#known = preparedOf(wire));
    wire.stream.cork();
    for (const { statement, values } of this.#items) {
      this.#prepared.push(this.#send(wire, known, statement, values));
    }
    wire.sync();
    wire.stream.uncork();
    return null;
  };

  #send(
    wire: Wire,
    known: Map<string, Prepared>,
    { name, text }: AnyStatement,
    values: unknown[],
  ): Prepared {
    let prepared = known.get(name);
    if (!prepared) {
      prepared = { wasSent: false, isSure: false, columns: null };
      known.set(name, prepared);
    }
    if (!prepared.isSure) {
      // A batch before this one may fail before it comes to the statement.
      if (prepared.wasSent) wire.close({ type: 'S', name });
      wire.parse({ name, text });
      prepared.wasSent = true;
    }
    wire.bind({ statement: name, values });
    if (!prepared.columns) wire.describe({ type: 'P' });
    wire.execute(null);
    return prepared;
  }

  handleRowDescription({ fields }: FieldsMessage): void {
    this.#prepared[this.#results.length]!.columns ??= fields.map(columnOf);
  }

  handleDataRow({ fields }: { fields: (string | null)[] }): void {
    if (this.#failure) return;
    try {
      this.#current.push(rowOf(this.#prepared[this.#results.length]!.columns!, fields));
    } catch (error) {
      this.#failure = error;
    }
  }

  handleCommandComplete(): void {
    const prepared = this.#prepared[this.#results.length]!;
    prepared.isSure = true;
    // It gives no rows.
    prepared.columns ??= [];
    this.#results.push(this.#current);
    this.#current = [];
  }

  handleError(error: unknown): void {
    // Others that are under way go on with what they know.
    for (const { statement } of this.#items.slice(this.#results.length)) {
      this.#known?.set(statement.name, { wasSent: true, isSure: false, columns: null });
    }
    this.#reject(error);
  }

  handleReadyForQuery(): void {
    if (this.#failure) this.#reject(this.#failure);
    else this.#resolve(this.#results);
  }
}
