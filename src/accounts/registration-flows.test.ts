import assert from 'node:assert/strict';
import { test } from 'node:test';
import { registrationFlows } from './registration-flows.ts';

const nothing = { requiresToken: false, requiresCaptcha: false, requiresTerms: false };
const dummy = ['m.login.dummy'];
const email = ['m.login.email.identity'];
const token = 'm.login.registration_token';

test('what everybody goes through comes first', () => {
  assert.deepEqual(registrationFlows({ ...nothing, threepidFlows: [dummy] }), [dummy]);
  const all = { requiresToken: true, requiresCaptcha: true, requiresTerms: true };
  const stages = [token, 'm.login.recaptcha', 'm.login.terms'];
  assert.deepEqual(registrationFlows({ ...all, threepidFlows: [dummy] }), [stages]);
  assert.deepEqual(registrationFlows({ ...all, threepidFlows: [email] }), [[...stages, ...email]]);
});

test('where there is a choice no flow is the beginning of another', () => {
  const flows = registrationFlows({
    ...nothing,
    requiresCaptcha: true,
    threepidFlows: [dummy, email],
  });
  assert.deepEqual(flows, [
    ['m.login.recaptcha', ...dummy],
    ['m.login.recaptcha', ...email],
  ]);
});

test('a token is asked for once', () => {
  const flows = registrationFlows({
    ...nothing,
    requiresToken: true,
    threepidFlows: [email, [token]],
  });
  assert.deepEqual(flows, [[token, ...email], [token]]);
});
