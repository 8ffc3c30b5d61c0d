/** A named SQL statement with the types of its parameters and rows; prepared once per connection. */
export interface Statement<P extends readonly unknown[], R> {
  readonly name: string;
  readonly text: string;
  /** Only for the type checker. */
  readonly types?: { params: P; row: R };
}

const catalogue = new Map<string, Statement<never, unknown>>();

/**
 * Declares a statement. Names are unique in the process; a test prepares every declared statement
 * against the schema. `text` uses `$1`, `$2` … for parameters.
 */
export function statement<P extends readonly unknown[], R>(
  name: string,
  text: string,
): Statement<P, R> {
  if (catalogue.has(name)) throw new Error(`statement ${name} is declared twice`);
  const declared = { name, text };
  catalogue.set(name, declared);
  return declared;
}

/** Every statement declared so far by the modules that are loaded. */
export function declaredStatements(): readonly Statement<never, unknown>[] {
  return [...catalogue.values()];
}
