import pg from 'pg';
import { columnTypes } from './column-types.ts';
import { StatementBatch, type AnyStatement, type BatchItem } from './statement-batch.ts';

/**
 * The database cannot be asked now: it cannot be reached, or the connection was lost. When it is
 * thrown by a write that was in flight, the write may or may not be kept.
 */
export class DatabaseUnavailable extends Error {
  constructor(cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`the database is unavailable: ${reason}`, { cause });
    this.name = 'DatabaseUnavailable';
  }
}

const retryMsMin = 50;
const retryMsMax = 500;
/** How long a caller waits for a connection before it is told that there is none. */
const connectWaitMs = 10_000;

/** One pipelined connection that comes back when it is lost. */
export class PipelinedConnection {
  readonly #options: pg.ClientConfig;
  #client: pg.Client | null = null;
  #connecting: Promise<pg.Client> | null = null;
  #isClosed = false;

  constructor(options: pg.ClientConfig) {
    this.#options = { ...options, types: columnTypes, pipeline: true };
  }

  /** The open client; synchronous users get null and await `open`. */
  get current(): pg.Client | null {
    return this.#client;
  }

  open(): Promise<pg.Client> {
    if (this.#client) return Promise.resolve(this.#client);
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = null;
    });
    return this.#connecting;
  }

  async #connect(): Promise<pg.Client> {
    const deadline = Date.now() + connectWaitMs;
    let delayMs = retryMsMin;
    for (;;) {
      if (this.#isClosed) throw new DatabaseUnavailable('the connection was closed');
      const client = new pg.Client(this.#options);
      // Without a listener a lost connection would end the process.
      client.on('error', () => this.#lose(client));
      client.on('end', () => this.#lose(client));
      try {
        // oxlint-disable-next-line no-await-in-loop
        await client.connect();
        this.#client = client;
        return client;
      } catch (error) {
        if (Date.now() + delayMs > deadline) throw new DatabaseUnavailable(error);
        const pause = delayMs;
        // oxlint-disable-next-line no-await-in-loop
        await new Promise((resolve) => setTimeout(resolve, pause));
        delayMs = Math.min(delayMs * 2, retryMsMax);
      }
    }
  }

  #lose(client: pg.Client): void {
    if (this.#client === client) this.#client = null;
  }

  async run(statement: AnyStatement, params: readonly unknown[]): Promise<unknown[]> {
    const client = this.#client ?? (await this.open());
    return runOn(client, statement, params);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const client = this.#client;
    this.#client = null;
    await client?.end().catch(() => undefined);
  }
}

/** Errors that PostgreSQL reports stay as they are; all others mean that it was not reached. */
function failure(error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError)) return new DatabaseUnavailable(error);
  const { code = '' } = error;
  const endsConnection =
    code.startsWith('57P') || code.startsWith('08') || code.startsWith('53300');
  return endsConnection ? new DatabaseUnavailable(error) : error;
}

/** Runs statements as one transaction, in one round trip; gives the rows of each. */
export async function runAll(
  client: pg.ClientBase,
  items: readonly BatchItem[],
): Promise<unknown[][]> {
  const batch = new StatementBatch(items);
  try {
    return await client.query(batch).answer;
  } catch (error) {
    throw failure(error);
  }
}

/** Runs a statement, prepared under its name once per connection. */
export async function runOn(
  client: pg.ClientBase,
  statement: AnyStatement,
  params: readonly unknown[],
): Promise<unknown[]> {
  return (await runAll(client, [{ statement, params }]))[0]!;
}
