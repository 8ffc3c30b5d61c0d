import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Type } from 'typebox';
import { MatrixError } from '../kernel/errors.ts';
import { keepFirst, listParameters, parseQuery } from './query.ts';
import { createValidator } from './validation.ts';

function refusal(check: (value: unknown) => void, value: unknown): [string, string] {
  try {
    check(value);
  } catch (error) {
    assert.ok(error instanceof MatrixError);
    assert.equal(error.status, 400);
    return [error.code, error.message];
  }
  return assert.fail('it should have been refused');
}

test('refusals of bodies say where and what', () => {
  const check = createValidator(
    Type.Object({
      name: Type.String(),
      info: Type.Optional(
        Type.Object({ size: Type.Integer(), kind: Type.Optional(Type.Literal('a')) }),
      ),
      ids: Type.Optional(Type.Array(Type.String(), { maxItems: 2 })),
    }),
    'body',
  );
  check({ name: 'x', further: 1 });
  assert.deepEqual(refusal(check, {}), ['M_MISSING_PARAM', "Missing required key: 'name'"]);
  assert.deepEqual(refusal(check, { name: 'x', info: {} }), [
    'M_MISSING_PARAM',
    "Missing required key: 'info.size'",
  ]);
  const cases: [unknown, RegExp][] = [
    [{ name: 1 }, /'name' must be string/],
    [{ name: 'x', info: { size: '1' } }, /'info\.size' must be integer/],
    [{ name: 'x', info: { size: 1, kind: 'b' } }, /'info\.kind' must be equal to constant: "a"/],
    [{ name: 'x', ids: ['a', 2] }, /'ids\.1' must be string/],
    [{ name: 'x', ids: ['a', 'b', 'c'] }, /'ids' must NOT have more than 2 items/],
  ];
  for (const [value, message] of cases) {
    const [code, text] = refusal(check, value);
    assert.equal(code, 'M_BAD_JSON');
    assert.match(text, message);
  }
});

test('queries are coerced; bodies are not', () => {
  const schema = Type.Object({
    limit: Type.Optional(Type.Integer({ minimum: 1 })),
    full: Type.Optional(Type.Boolean()),
    via: Type.Optional(Type.Array(Type.String())),
  });
  const check = createValidator(schema, 'query');
  const query = { limit: '5', full: 'true', via: 'a', other: 'x' };
  check(query);
  assert.deepEqual(query, { limit: 5, full: true, via: ['a'], other: 'x' });
  for (const limit of ['x', '0', '1.5', '']) {
    assert.equal(refusal(check, { limit })[0], 'M_INVALID_PARAM', limit);
  }
  assert.match(refusal(check, { full: 'yes' })[1], /'full' must be boolean/);
  assert.equal(refusal(createValidator(schema, 'body'), { limit: '5' })[0], 'M_BAD_JSON');
});

test('integers are within the range of canonical JSON', () => {
  const schema = Type.Object({
    type: Type.Optional(Type.Literal('integer')),
    ts: Type.Optional(Type.Integer()),
    list: Type.Optional(Type.Array(Type.Integer({ minimum: 0 }))),
  });
  const check = createValidator(schema, 'body');
  check({ type: 'integer', ts: -(2 ** 53) + 1, list: [2 ** 53 - 1] });
  for (const wrong of [{ ts: 2 ** 53 }, { ts: -(2 ** 53) }, { list: [1e29] }]) {
    assert.equal(refusal(check, wrong)[0], 'M_BAD_JSON', JSON.stringify(wrong));
  }
});

test('values of records are checked whatever their names', () => {
  const schema = Type.Object({ counts: Type.Record(Type.String(), Type.Integer()) });
  const check = createValidator(schema, 'body');
  check({ counts: { a: 1, '': 2, 'b\nc': 3 } });
  for (const name of ['a', '', 'b\nc', '\u2028']) {
    const [code, message] = refusal(check, { counts: { [name]: '1' } });
    assert.deepEqual([code, message.endsWith('must be integer')], ['M_BAD_JSON', true], name);
  }
});

test('only parameters declared as lists keep several values', () => {
  const lists = listParameters(
    Type.Object({ via: Type.Optional(Type.Array(Type.String())), from: Type.String() }),
  );
  const query = parseQuery('/x?via=a&via=b&from=1&from=2&user_id=c&user_id=d');
  keepFirst(query, lists);
  assert.deepEqual(query, { via: ['a', 'b'], from: '1', user_id: 'c' });
  assert.deepEqual(parseQuery('/x'), {});
});
