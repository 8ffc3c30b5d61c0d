/** Text of an array as PostgreSQL reads it; null: an element is neither text, number nor boolean. */
function arrayText(values: readonly unknown[]): string | null {
  let text = '{';
  for (let i = 0; i < values.length; i++) {
    if (i > 0) text += ',';
    const value = values[i];
    if (typeof value === 'number' || typeof value === 'boolean') text += value;
    else if (typeof value === 'string') {
      const isPlain = !value.includes('"') && !value.includes('\\');
      text += isPlain ? `"${value}"` : `"${value.replaceAll(/["\\]/g, '\\$&')}"`;
    } else if (value === null || value === undefined) text += 'NULL';
    else return null;
  }
  return `${text}}`;
}

/** A parameter in the form that is quickest to send: arrays as text, all others as they are. */
export function paramText(param: unknown): unknown {
  return Array.isArray(param) ? (arrayText(param) ?? param) : param;
}
