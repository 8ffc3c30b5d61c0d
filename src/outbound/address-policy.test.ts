import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAddressPolicy, embeddedIpv4, parseRange } from './address-policy.ts';

const policy = createAddressPolicy({
  deny: ['10.0.0.0/8', '127.0.0.0/8', '::1', 'fe80::/10'],
  allow: ['10.1.2.3'],
});

test('denied ranges hold, exceptions to them too', () => {
  assert.equal(policy.isAllowed('10.9.9.9'), false);
  assert.equal(policy.isAllowed('10.1.2.3'), true);
  assert.equal(policy.isAllowed('192.0.2.1'), true);
  assert.equal(policy.isAllowed('fe80::1%eth0'), false);
  assert.equal(policy.isAllowed('2001:4860:4860::8888'), true);
});

test('the unspecified address means this machine and is always denied', () => {
  assert.equal(policy.isAllowed('0.0.0.0'), false);
  assert.equal(policy.isAllowed('::'), false);
});

test('IPv4 inside IPv6 is denied as IPv4', () => {
  for (const address of [
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '0:0:0:0:0:ffff:a00:1',
    '::127.0.0.1',
    '::ffff:0:127.0.0.1',
    '64:ff9b::10.0.0.1',
    '2002:7f00:1::1',
  ]) {
    assert.equal(policy.isAllowed(address), false, address);
  }
  assert.equal(policy.isAllowed('::ffff:192.0.2.1'), true);
  assert.equal(policy.isAllowed('2002:c000:201::1'), true);
});

test('what is no address is not allowed', () => {
  assert.equal(policy.isAllowed('localhost'), false);
  assert.equal(policy.isAllowed('127.1'), false);
  assert.equal(policy.isAllowed(''), false);
});

test('embedded addresses are found', () => {
  assert.equal(embeddedIpv4('::ffff:1.2.3.4'), '1.2.3.4');
  assert.equal(embeddedIpv4('2001:db8::1'), null);
});

test('ranges are read strictly', () => {
  assert.deepEqual(parseRange('10.0.0.0/8'), { address: '10.0.0.0', prefix: 8 });
  assert.deepEqual(parseRange('::1'), { address: '::1', prefix: 128 });
  for (const wrong of ['10.0.0.0/33', '10.0.0/8', 'example.org', '1.2.3.4/8/8', '1.2.3.4/']) {
    assert.equal(parseRange(wrong), null, wrong);
  }
});
