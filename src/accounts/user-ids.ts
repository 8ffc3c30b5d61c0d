/** The localpart of a user id: between `@` and the first colon. */
export function localpartOf(userId: string): string {
  const colon = userId.indexOf(':');
  return userId.slice(1, colon === -1 ? undefined : colon);
}

/** The server name of a user id: after the first colon. */
export function serverNameOf(userId: string): string {
  return userId.slice(userId.indexOf(':') + 1);
}

/** Has the shape of a user id, also a historical one. */
export function isUserId(text: string): boolean {
  return /^@[^:\0]*:.+$/s.test(text) && Buffer.byteLength(text) <= userIdBytesMax;
}

/** Spec: appendices, "User identifiers". */
export const userIdBytesMax = 255;
