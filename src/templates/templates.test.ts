import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createTemplates } from './module.ts';

test('values are escaped on pages and left alone in plain text', async () => {
  const { render } = createTemplates(null);
  const link = 'https://example.org/?a=1&b="2"';
  const page = await render('registration.html', { server_name: 'x', link });
  assert.ok(page.includes('href="https://example.org/?a=1&amp;b=&quot;2&quot;"'));
  assert.ok((await render('registration.txt', { server_name: 'x', link })).includes(link));
});

test('a file of one’s own goes before the built-in one and may build on those', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lattice-templates-'));
  try {
    const own =
      '{% extends "_base.html" %}{% block body %}{% if a %}{{ a }}!{% endif %}{% endblock %}';
    await writeFile(join(folder, 'registration.html'), own);
    const { render } = createTemplates(folder);
    assert.match(await render('registration.html', { a: '<' }), /<body>\s*&lt;!\s*<\/body>/);
    assert.match(await render('password_reset_success.html', {}), /Go back to your client/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a template that does not exist is an error', async () => {
  await assert.rejects(createTemplates(null).render('none.html', {}), /none\.html/);
});
