/** The room's rules do not let an event in; the message says which and why. */
export class NotAuthorised extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'NotAuthorised';
  }
}

/** Throws NotAuthorised unless the condition holds. */
export function require(condition: boolean, message: string): asserts condition {
  if (!condition) throw new NotAuthorised(message);
}
