/** Largest id in bytes, sigil and server name included (appendices, "Common Identifier Format"). */
export const idBytesMax = 255;

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

function isId(text: string, sigil: string): boolean {
  const colon = text.indexOf(':');
  return (
    text.startsWith(sigil) &&
    colon > 0 &&
    !text.includes('\0') &&
    Buffer.byteLength(text) <= idBytesMax &&
    isServerName(text.slice(colon + 1))
  );
}

/** Also user ids with characters that are no longer allowed in new ones. */
export const isUserId = (text: string) => isId(text, '@');

export const isRoomAlias = (text: string) => isId(text, '#') && text.indexOf(':') > 1;

/** With a server name, or from room version 12 on without one. */
export function isRoomId(text: string): boolean {
  if (!text.startsWith('!') || text.length < 2) return false;
  return Buffer.byteLength(text) <= idBytesMax && !/[\0\s]/.test(text);
}

/** With a server name in room versions 1 and 2, else without one. */
export function isEventId(text: string): boolean {
  return text.startsWith('$') && text.length > 1 && Buffer.byteLength(text) <= idBytesMax;
}
