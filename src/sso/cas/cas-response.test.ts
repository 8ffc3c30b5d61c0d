import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCasResponse } from './cas-response.ts';

const response = (inside: string) =>
  `<?xml version="1.0"?>
<cas:serviceResponse xmlns:cas="http://www.yale.edu/tp/cas">${inside}</cas:serviceResponse>`;
const success = (inside: string) =>
  response(`<cas:authenticationSuccess>${inside}</cas:authenticationSuccess>`);

test('a user and attributes', () => {
  const parsed = parseCasResponse(
    success(`<cas:user> a&amp;b </cas:user><cas:attributes>
      <cas:group>staff</cas:group><cas:group>admin</cas:group><cas:name>A &lt;B&gt;</cas:name>
      <cas:nested><cas:group>no</cas:group></cas:nested></cas:attributes>`),
  );
  assert.equal(parsed.user, 'a&b');
  assert.deepEqual(
    { ...parsed.attributes },
    { group: ['staff', 'admin'], name: ['A <B>'], nested: [''] },
  );
});

test('comments do not cut a name short', () => {
  const xml = success('<cas:user>admin<!-- -->.evil</cas:user>');
  assert.equal(parseCasResponse(xml).user, 'admin.evil');
});

test('what is no success is refused', () => {
  const failure = response('<cas:authenticationFailure code="X">no</cas:authenticationFailure>');
  assert.throws(() => parseCasResponse(failure), { error: 'unsuccessful_response' });
  const inside = response(
    '<cas:authenticationFailure><cas:authenticationSuccess><cas:user>a</cas:user>' +
      '</cas:authenticationSuccess></cas:authenticationFailure>',
  );
  assert.throws(() => parseCasResponse(inside), { error: 'unsuccessful_response' });
  assert.throws(() => parseCasResponse(success('')), { error: 'no_user' });
  const two = success('<cas:user>a</cas:user><cas:user>b</cas:user>');
  assert.throws(() => parseCasResponse(two), { error: 'no_user' });
  for (const xml of [
    '',
    '<html></html>',
    success('<cas:user>a</cas:user>').slice(0, -10),
    response('<a>'.repeat(50)),
  ]) {
    assert.throws(() => parseCasResponse(xml), { error: 'missing_service_response' });
  }
});
