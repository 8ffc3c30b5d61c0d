/** What a browser is shown when it cannot go on: a technical name, and a text for people. */
export class SsoError extends Error {
  /** For example `invalid_session`. */
  readonly error: string;
  readonly status: number;

  constructor(error: string, description: string, status = 400, cause?: unknown) {
    super(description, cause === undefined ? undefined : { cause });
    this.name = 'SsoError';
    this.error = error;
    this.status = status;
  }
}
