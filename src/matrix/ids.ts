/** Largest id in bytes, sigil and server name included (appendices, "Common Identifier Format"). */
export const idBytesMax = 255;

/** A UTF-16 unit has at most three bytes of UTF-8. */
const bytesPerUnitMax = 3;

/** Whether an id, event type or state key is within `idBytesMax`. */
export function fitsIdBytes(text: string): boolean {
  if (text.length * bytesPerUnitMax <= idBytesMax) return true;
  return text.length <= idBytesMax && Buffer.byteLength(text) <= idBytesMax;
}

/** The part after the first colon; empty when there is none. */
export function serverNameOf(id: string): string {
  const colon = id.indexOf(':');
  return colon === -1 ? '' : id.slice(colon + 1);
}

/** The part between the sigil and the first colon. */
export function localpartOf(id: string): string {
  const colon = id.indexOf(':');
  return id.slice(1, colon === -1 ? undefined : colon);
}

const serverName =
  /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z.-]{1,255})(?::\d{1,5})?$/;

/** Whether the text is a server name (appendices, "Server Name"). */
export function isServerName(text: string): boolean {
  return serverName.test(text);
}

/** Has the sigil, fits, and is of code points other than NUL. */
function hasIdShape(text: string, sigil: string): boolean {
  return text.startsWith(sigil) && fitsIdBytes(text) && !text.includes('\0') && text.isWellFormed();
}

function hasServerName(text: string): boolean {
  const colon = text.indexOf(':');
  return colon > 0 && isServerName(text.slice(colon + 1));
}

/**
 * Also user ids with a localpart that new ones may not have, the empty one included
 * (appendices, "Historical User IDs").
 */
export const isUserId = (text: string) => hasIdShape(text, '@') && hasServerName(text);

export const isRoomAlias = (text: string) =>
  hasIdShape(text, '#') && text[1] !== ':' && hasServerName(text);

/** With a server name, or from room version 12 on without one. */
export const isRoomId = (text: string) => text.length > 1 && hasIdShape(text, '!');

/** With a server name in room versions 1 and 2, else without one. */
export const isEventId = (text: string) => text.length > 1 && hasIdShape(text, '$');
