/**
 * A localpart for a name from elsewhere, which keeps different names different but for their case:
 * characters that localparts cannot have become `=` and two hexadecimal digits a byte. Source:
 * appendices, "Mapping from other character sets".
 */
export function localpartFrom(name: string): string {
  const mapped = [...Buffer.from(name.toLowerCase())]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      const isKept = byte < 0x80 && /[a-z0-9._/+-]/.test(character);
      return isKept ? character : `=${byte.toString(16).padStart(2, '0')}`;
    })
    .join('');
  // Servers like to keep such names for application services.
  return mapped.startsWith('_') ? `=5f${mapped.slice(1)}` : mapped;
}
