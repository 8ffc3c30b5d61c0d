import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalJson, canonicalJsonLenient, NotCanonical } from './canonical-json.ts';
import type { JsonValue } from './pdu.ts';
import { anyJsonValue } from './test-json.ts';

/** The examples of the specification's appendices. */
const examples: [json: string, canonical: string][] = [
  ['{}', '{}'],
  ['{ "one": 1, "two": "Two" }', '{"one":1,"two":"Two"}'],
  ['{ "b": "2", "a": "1" }', '{"a":"1","b":"2"}'],
  ['{"b":"2","a":"1"}', '{"a":"1","b":"2"}'],
  [
    `{"auth": {"success": true, "mxid": "@john.doe:example.com", "profile": {
      "display_name": "John Doe", "three_pids": [
        {"medium": "email", "address": "john.doe@example.org"},
        {"medium": "msisdn", "address": "123456789"}]}}}`,
    '{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":[{"address":"john.doe@example.org","medium":"email"},{"address":"123456789","medium":"msisdn"}]},"success":true}}',
  ],
  ['{ "a": "日本語" }', '{"a":"日本語"}'],
  ['{ "本": 2, "日": 1 }', '{"日":1,"本":2}'],
  ['{ "a": "\\u65E5" }', '{"a":"日"}'],
  ['{ "a": null }', '{"a":null}'],
  ['{ "a": -0, "b": 1e10 }', '{"a":0,"b":10000000000}'],
];

test('the examples of the specification', () => {
  for (const [json, canonical] of examples) {
    assert.equal(canonicalJson(JSON.parse(json) as JsonValue), canonical);
  }
});

test('strings have the shortest escapes and nothing else is escaped', () => {
  assert.equal(
    canonicalJson('\b\t\n\f\r"\\/\u0000\u001f\u007f\u2028é'),
    '"\\b\\t\\n\\f\\r\\"\\\\/\\u0000\\u001f\u007f\u2028é"',
  );
});

test('keys are sorted by code point, not by UTF-16 unit or as numbers', () => {
  assert.equal(canonicalJson({ '\u{1F600}': 1, '\uFFFD': 2 }), '{"\uFFFD":2,"\u{1F600}":1}');
  assert.equal(canonicalJson({ 9: 1, 10: 2, a: 3 }), '{"10":2,"9":1,"a":3}');
});

test('a key named __proto__ is a key like others', () => {
  assert.equal(
    canonicalJson(JSON.parse('{"a":1,"__proto__":{"b":2}}')),
    '{"__proto__":{"b":2},"a":1}',
  );
});

test('numbers: integers within ±(2^53 − 1) only', () => {
  assert.equal(
    canonicalJson([2 ** 53 - 1, -(2 ** 53) + 1]),
    '[9007199254740991,-9007199254740991]',
  );
  for (const number of [1.5, 2 ** 53, -(2 ** 53), Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => canonicalJson({ a: [number] }), NotCanonical, String(number));
  }
});

test('the lenient form takes fractions and large numbers, but no NaN', () => {
  assert.equal(canonicalJsonLenient({ b: 1.5, a: 2 ** 53 }), '{"a":9007199254740992,"b":1.5}');
  assert.throws(() => canonicalJsonLenient(Number.NaN), NotCanonical);
});

test('half of a surrogate pair has no UTF-8, so no canonical form', () => {
  assert.throws(() => canonicalJson({ a: '\uD800' }), NotCanonical);
  assert.throws(() => canonicalJson({ '\uDC00': 1 }), NotCanonical);
  assert.equal(canonicalJsonLenient('\uD800'), '"\\ud800"');
});

test('what is no JSON is refused, members that are undefined are left out', () => {
  for (const value of [undefined, 1n, Symbol('a'), () => 1]) {
    assert.throws(() => canonicalJson(value as never), NotCanonical);
  }
  assert.equal(canonicalJson({ a: undefined, b: 1 } as never), '{"b":1}');
});

test('nesting that would end the stack is refused', () => {
  const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
  assert.equal(canonicalJson(JSON.parse(nested(1000))), nested(1000));
  for (const levels of [1001, 30_000]) {
    assert.throws(() => canonicalJson(JSON.parse(nested(levels))), NotCanonical);
    assert.throws(() => canonicalJsonLenient(JSON.parse(nested(levels))), NotCanonical);
  }
});

const codePoints = (text: string) => Array.from(text, (char) => char.codePointAt(0)!);

function precedes(a: string, b: string): boolean {
  const [left, right] = [codePoints(a), codePoints(b)];
  const at = left.findIndex((point, i) => point !== right[i]);
  return at === -1 ? left.length <= right.length : left[at]! < (right[at] ?? -1);
}

/** The definition, written plainly. */
function plain(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(plain).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const keys = Object.keys(value).sort((a, b) => (precedes(a, b) ? -1 : 1));
  return `{${keys.map((key) => `${JSON.stringify(key)}:${plain(value[key]!)}`).join()}}`;
}

function reversed(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).toReversed();
  return Object.fromEntries(entries.map(([key, inner]) => [key, reversed(inner)]));
}

test('the text parses back to the value and is as the definition says', () => {
  fc.assert(
    fc.property(anyJsonValue, (value) => {
      const text = canonicalJson(value);
      assert.equal(text, plain(value));
      assert.equal(canonicalJson(JSON.parse(text) as JsonValue), text);
      assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
    }),
  );
});

test('the order in which members were added makes no difference; both forms agree', () => {
  fc.assert(
    fc.property(anyJsonValue, (value) => {
      assert.equal(canonicalJson(reversed(value)), canonicalJson(value));
      assert.equal(canonicalJsonLenient(value), canonicalJson(value));
    }),
  );
});
