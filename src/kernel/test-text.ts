import fc from 'fast-check';

const surrogates = { first: 0xd800, count: 0x800 };
const codePointMax = 0x10ffff;

/** Any character. fast-check's unit `binary` is the same, and makes a table of them for a second. */
const character = fc.integer({ min: 0, max: codePointMax - surrogates.count }).map(
  (nth) => String.fromCodePoint(nth < surrogates.first ? nth : nth + surrogates.count),
  (text) => {
    const code = typeof text === 'string' ? text.codePointAt(0) : undefined;
    if (code === undefined || String.fromCodePoint(code) !== text)
      throw new Error('not one character');
    return code < surrogates.first ? code : code - surrogates.count;
  },
);

/** Texts of any characters, for properties. */
export const anyText = (constraints: fc.StringConstraints = {}): fc.Arbitrary<string> =>
  fc.string({ ...constraints, unit: character });
