import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { anyText } from '../../../src/kernel/test-text.ts';

/** JSON that no honest client sends is written as text: some of it has no value in JavaScript. */
export class RawJson {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

const longLength = 70_000;
/** Longer than an entry of an index may be, and as long when compressed. */
const incompressible = Array.from({ length: 300 }, (_, i) =>
  createHash('sha256').update(String(i)).digest('base64url'),
).join('');

/** Texts that have broken servers before. Lone surrogates are well-formed JSON. */
export const oddText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    '',
    ' ',
    '\0',
    'a\0b',
    '\ud800',
    'x\udfffy',
    '\u202e@alice:test.example',
    '😀'.repeat(64),
    'e\u0301\u0301',
    '\ufeff',
    '..',
    '../../etc/passwd',
    '%',
    '%00',
    '%zz',
    "'; DROP TABLE users; --",
    '{{7*7}}',
    '<script>',
    '$1',
    '__proto__',
    'constructor',
    'toString',
    'null',
    'undefined',
    'NaN',
    '-1',
    '0',
    '1e9',
    '99999999999999999999',
    '9223372036854775808',
    '2147483648',
    '-9223372036854775809',
    '@',
    '@:',
    '@a:',
    ':',
    '!',
    '#',
    '$',
    '@a:b:c:99999',
    '!room:[::1]',
    `@${'a'.repeat(300)}:test.example`,
    's1_2_3',
    't1-2_3',
    'http://[::',
    'mxc://',
    'mxc://a/b/c',
    '\r\nX-Injected: 1',
    '2001-99-99',
  ),
  fc.constantFrom('a'.repeat(longLength), incompressible),
  anyText({ maxLength: 12 }),
  fc.string({ maxLength: 12 }),
);

export const oddNumber: fc.Arbitrary<number | RawJson> = fc.oneof(
  fc.constantFrom<number | RawJson>(
    0,
    -0,
    -1,
    0.5,
    2 ** 31,
    2 ** 53,
    -(2 ** 53),
    2 ** 63,
    -(2 ** 63) - 1025,
    1e300,
    1.7976931348623157e308,
    5e-324,
    new RawJson('1e999'),
    new RawJson('-1e999'),
    new RawJson('123456789012345678901234567890'),
  ),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);

/** Deeper than any endpoint needs; some deeper than the server reads. */
const nested = fc
  .tuple(fc.constantFrom(5, 90, 190, 210, 3000), fc.boolean())
  .map(([depth, isList]) =>
    isList
      ? new RawJson(`${'['.repeat(depth)}${']'.repeat(depth)}`)
      : new RawJson(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`),
  );

const oddObject = fc.constantFrom(
  new RawJson('{"__proto__":{"isAdmin":true}}'),
  new RawJson('{"a":1,"a":"2","a":[3]}'),
  new RawJson('{"constructor":{"prototype":{"x":1}},"toString":"x","hasOwnProperty":1}'),
  new RawJson('{"":{"":[]}}'),
  new RawJson('{"\\u0000":"\\u0000"}'),
  new RawJson('{"length":-1,"then":1,"toJSON":null}'),
);

export const oddJson: fc.Arbitrary<unknown> = fc.oneof(
  { arbitrary: oddText, weight: 4 },
  { arbitrary: oddNumber, weight: 3 },
  { arbitrary: fc.constantFrom(null, true, false, [], {}, [null], [[]], [{}]), weight: 3 },
  { arbitrary: oddObject, weight: 2 },
  { arbitrary: nested, weight: 1 },
  { arbitrary: fc.jsonValue({ maxDepth: 3 }), weight: 2 },
);

/** Text of JSON, with raw parts as they are. Keys such as `__proto__` are kept. */
export function toJsonText(value: unknown): string {
  if (value instanceof RawJson) return value.text;
  if (Array.isArray(value)) return `[${value.map(toJsonText).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value).map(([key, one]) => {
    return `${JSON.stringify(key)}:${toJsonText(one)}`;
  });
  return `{${members.join(',')}}`;
}
