import assert from 'node:assert/strict';
import { test } from 'node:test';
import { textTemplate } from './text-template.ts';

test('claims become texts, and what is missing is empty', async () => {
  const user = { name: ' <Alice> ', email: 'a@b@example.org', groups: ['x'], nested: { id: 7 } };
  const rendered = (source: string) => textTemplate(source).render({ user });
  assert.equal(await rendered('{{ user.name }}'), '<Alice>');
  assert.equal(await rendered('{{ user.email | localpart_from_email }}'), 'a@b');
  assert.equal(await rendered('{{ user.missing }}'), '');
  assert.equal(await rendered('{{ user.nested.id }}{% if "x" in user.groups %}!{% endif %}'), '7!');
});

test('a template with errors says so when it is used', async () => {
  const template = textTemplate('{{ user.');
  await assert.rejects(template.check());
  await assert.rejects(template.render({ user: {} }));
  await textTemplate('{{ user.a }}').check();
});
