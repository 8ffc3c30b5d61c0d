/** What is known of a stream: everything that changes is a row in one. */
export interface Stream<Row> {
  readonly name: string;
  /** Durable rows draw their position from the database; others live in their writer's memory. */
  readonly durable: boolean;
  /** What its writers are divided by. */
  readonly shardedBy: 'room' | 'user' | 'device' | 'none';
  /** The row as plain JSON data, when it is not that already. */
  toWire?(row: Row): unknown;
  /** Only for the type checker. */
  readonly types?: Row;
}

/** A row of a stream at its position. */
export interface StreamRow<Row = unknown> {
  readonly stream: Stream<Row>;
  /** Durable streams: from `stream_position`. Others: from the process's ephemeral counter. */
  readonly pos: number;
  readonly row: Row;
}

const catalogue = new Map<string, Stream<unknown>>();

/** Declares a stream. Declared once, in the module that owns it. */
export function defineStream<Row>(declaration: Omit<Stream<Row>, 'types'>): Stream<Row> {
  if (catalogue.has(declaration.name)) {
    throw new Error(`stream ${declaration.name} is declared twice`);
  }
  catalogue.set(declaration.name, declaration);
  return declaration;
}

/** Every stream declared by the modules that are loaded. */
export function declaredStreams(): readonly Stream<unknown>[] {
  return [...catalogue.values()];
}
