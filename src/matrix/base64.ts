/** Unpadded base64 (appendices, "Unpadded Base64"). */
export function toBase64(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
  const padding = text.indexOf('=');
  return padding === -1 ? text : text.slice(0, padding);
}

/** Unpadded base64 with `-` and `_`, as event ids have it from room version 4 on. */
export function toUrlSafeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url');
}

const base64 = /^([A-Za-z0-9+/_-]*)={0,2}$/;

/** Reads either alphabet, padded or not; null when it is neither. */
export function fromBase64(text: string): Buffer | null {
  const digits = base64.exec(text)?.[1];
  // A single digit after the last full group holds no byte.
  if (digits === undefined || digits.length % 4 === 1) return null;
  return Buffer.from(digits, 'base64');
}
