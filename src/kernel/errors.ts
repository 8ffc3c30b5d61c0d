/**
 * The Matrix error codes this server answers with and the HTTP status each has by default.
 * Source: client-server spec, "Standard error response", and the endpoints that name further codes.
 */
export const errorStatus = {
  M_FORBIDDEN: 403,
  M_UNKNOWN_TOKEN: 401,
  M_MISSING_TOKEN: 401,
  M_USER_LOCKED: 401,
  M_USER_SUSPENDED: 403,
  M_BAD_JSON: 400,
  M_NOT_JSON: 400,
  M_NOT_FOUND: 404,
  M_LIMIT_EXCEEDED: 429,
  M_UNRECOGNIZED: 404,
  M_UNKNOWN: 400,
  M_UNAUTHORIZED: 401,
  M_USER_DEACTIVATED: 403,
  M_USER_IN_USE: 400,
  M_INVALID_USERNAME: 400,
  M_ROOM_IN_USE: 400,
  M_INVALID_ROOM_STATE: 400,
  M_THREEPID_IN_USE: 400,
  M_THREEPID_NOT_FOUND: 400,
  M_THREEPID_AUTH_FAILED: 400,
  M_THREEPID_DENIED: 403,
  M_SERVER_NOT_TRUSTED: 403,
  M_UNSUPPORTED_ROOM_VERSION: 400,
  M_INCOMPATIBLE_ROOM_VERSION: 400,
  M_BAD_STATE: 400,
  M_GUEST_ACCESS_FORBIDDEN: 403,
  M_CAPTCHA_NEEDED: 400,
  M_CAPTCHA_INVALID: 400,
  M_MISSING_PARAM: 400,
  M_INVALID_PARAM: 400,
  M_INVALID_SIGNATURE: 400,
  M_TOO_LARGE: 413,
  M_EXCLUSIVE: 400,
  M_RESOURCE_LIMIT_EXCEEDED: 403,
  M_CANNOT_LEAVE_SERVER_NOTICE_ROOM: 403,
  M_CONSENT_NOT_GIVEN: 403,
  M_THREEPID_MEDIUM_NOT_SUPPORTED: 400,
  M_WEAK_PASSWORD: 400,
  M_BAD_ALIAS: 400,
  M_UNABLE_TO_AUTHORISE_JOIN: 400,
  M_UNABLE_TO_GRANT_JOIN: 400,
  M_DUPLICATE_ANNOTATION: 400,
  M_KEY_TOO_LARGE: 400,
  M_PROFILE_TOO_LARGE: 400,
  M_APPSERVICE_LOGIN_UNSUPPORTED: 400,
  M_CANNOT_OVERWRITE_MEDIA: 409,
  M_NOT_YET_UPLOADED: 504,
  M_URL_NOT_SET: 400,
  M_BAD_STATUS: 502,
  M_CONNECTION_FAILED: 502,
  M_CONNECTION_TIMEOUT: 504,
  M_WRONG_ROOM_KEYS_VERSION: 403,
  M_CONFLICT: 409,
  M_UNKNOWN_POS: 400,
  M_INVITE_BLOCKED: 403,
  'ORG.MATRIX.MSC4155.M_INVITE_BLOCKED': 403,
  ORG_MATRIX_EXPIRED_ACCOUNT: 403,
  'IO.ELEMENT.MSC4306.M_NOT_IN_THREAD': 400,
  'IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION': 409,
} as const;

export type ErrorCode = keyof typeof errorStatus;

/** An error that a client is to see: a code, a status and a message that says what is wrong. */
export class MatrixError extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  /** Further top-level keys of the answer, for example `retry_after_ms`. */
  readonly extra: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    options: { status?: number; extra?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'MatrixError';
    this.code = code;
    this.status = options.status ?? errorStatus[code];
    this.extra = options.extra ?? {};
  }

  /** The JSON body of the answer. */
  body(): Record<string, unknown> {
    return { errcode: this.code, error: this.message, ...this.extra };
  }
}
