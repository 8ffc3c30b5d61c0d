/** The room's rules do not let an event in; the message says which and why. */
export class NotAuthorised extends Error {
  /** No state would let the event in: its content is not of the form that it must have. */
  readonly isMalformed: boolean;

  constructor(message: string, isMalformed = false) {
    super(message);
    this.name = 'NotAuthorised';
    this.isMalformed = isMalformed;
  }
}

/** Throws NotAuthorised unless the condition holds. */
export function require(condition: boolean, message: string): asserts condition {
  if (!condition) throw new NotAuthorised(message);
}

/** The same for the form of a content. */
export function requireForm(condition: boolean, message: string): asserts condition {
  if (!condition) throw new NotAuthorised(message, true);
}
