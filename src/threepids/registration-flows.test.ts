import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ThreepidServices } from './services.ts';
import { createThreepidWork } from './threepid-work.ts';

interface Given {
  required?: string[];
  sendsMail?: boolean;
  hasDelegate?: boolean;
  registersByPhone?: boolean;
  tokenReplacesThreepid?: boolean;
}

function flows(given: Given): string[] {
  const services = {
    config: {
      required: given.required ?? [],
      registersByPhone: given.registersByPhone ?? true,
      tokenReplacesThreepid: given.tokenReplacesThreepid ?? false,
    },
    email: { isEnabled: given.sendsMail ?? false },
    msisdn: given.hasDelegate ? {} : null,
  } as unknown as ThreepidServices;
  return createThreepidWork(() => services)
    .registrationFlows()
    .map((flow) => flow.map((stage) => stage.replace('m.login.', '')).join(' '));
}

const both = { sendsMail: true, hasDelegate: true };

test('who registers proves what is required, and may prove what can be proven', () => {
  assert.deepEqual(flows({}), ['dummy']);
  assert.deepEqual(flows({ sendsMail: true }), ['dummy', 'email.identity']);
  assert.deepEqual(flows(both), ['dummy', 'email.identity', 'msisdn', 'msisdn email.identity']);
  assert.deepEqual(flows({ ...both, required: ['email'] }), [
    'email.identity',
    'msisdn email.identity',
  ]);
  assert.deepEqual(flows({ ...both, required: ['msisdn'] }), ['msisdn', 'msisdn email.identity']);
  assert.deepEqual(flows({ ...both, required: ['email', 'msisdn'] }), ['msisdn email.identity']);
});

test('phone numbers can be left out, and a token can take the place of all', () => {
  assert.deepEqual(flows({ ...both, registersByPhone: false }), ['dummy', 'email.identity']);
  assert.deepEqual(flows({ sendsMail: true, required: ['email'], tokenReplacesThreepid: true }), [
    'email.identity',
    'registration_token',
  ]);
});

test('what is required and cannot be proven leaves no way', () => {
  assert.deepEqual(flows({ required: ['email'] }), []);
});
