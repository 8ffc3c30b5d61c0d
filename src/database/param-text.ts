/** Text of an array as PostgreSQL reads it. */
function arrayText(values: readonly unknown[]): string {
  let text = '{';
  for (let i = 0; i < values.length; i++) {
    if (i > 0) text += ',';
    const value = values[i];
    if (typeof value === 'number' || typeof value === 'boolean') text += value;
    else if (typeof value === 'string') {
      const isPlain = !value.includes('"') && !value.includes('\\');
      text += isPlain ? `"${value}"` : `"${value.replaceAll(/["\\]/g, '\\$&')}"`;
    } else if (value === null || value === undefined) text += 'NULL';
    else if (Buffer.isBuffer(value)) text += `"\\\\x${value.toString('hex')}"`;
    else throw new TypeError(`an array parameter holds a ${typeof value}`);
  }
  return `${text}}`;
}

/** A parameter in the form in which it is sent: text, bytes or null. Throws TypeError for others. */
export function paramText(param: unknown): string | Buffer | null {
  if (typeof param === 'string') return param;
  if (param === null || param === undefined) return null;
  if (typeof param === 'number' || typeof param === 'boolean') return String(param);
  if (Array.isArray(param)) return arrayText(param);
  if (Buffer.isBuffer(param)) return param;
  throw new TypeError(`a parameter is a ${typeof param}`);
}
