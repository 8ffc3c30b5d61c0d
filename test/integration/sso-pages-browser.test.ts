import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, suite, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { chromiumPath, startBrowser } from '../harness/browser.ts';
import { TestClient, uniqueName, type Json } from '../harness/client.ts';
import { startOidcProvider, type TestOidcProvider } from '../harness/oidc-provider.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

// The pages of single sign-on in a real browser: cookies, forms and scripts are its own.

const skip = chromiumPath === null ? 'there is no Chromium here' : false;

suite('pages of single sign-on in a browser', { skip }, () => {
  let oidc: TestOidcProvider;
  let server: TestServer;
  /** Passes requests on to the server, so that its address is known before it starts. */
  let proxy: Server;
  let url: string;
  let browser: Browser;
  const failures: Error[] = [];

  before(async () => {
    oidc = await startOidcProvider('matrix');
    proxy = createServer((req, res) => {
      const { hostname, port } = new URL(server.url);
      const { method, url: path, headers } = req;
      const passed = request({ hostname, port, method, path, headers }, (answer) => {
        res.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(res);
      });
      passed.on('error', () => res.destroy());
      req.pipe(passed);
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const provider = (id: string) => `
  - {idp_id: ${id}, idp_name: Provider ${id}, issuer: ${oidc.url}, client_id: matrix,
    client_auth_method: none, skip_verification: true,
    user_mapping_provider: {config: {display_name_template: '{{ user.name }}'}}}`;
    [server, browser] = await Promise.all([
      startTestServer(`
public_baseurl: ${url}
oidc_providers:
${provider('one')}
${provider('two')}`),
      startBrowser(chromiumPath!),
    ]);
  });
  after(async () => {
    await browser.close();
    await server.close();
    proxy.closeAllConnections();
    proxy.close();
    oidc.close();
    assert.deepEqual(failures, []);
  });

  async function openPage(path: string): Promise<Page> {
    const page = await (await browser.newContext()).newPage();
    page.on('pageerror', (error) => failures.push(error));
    await page.goto(url + path);
    return page;
  }

  test('somebody new picks a provider and a name, and is logged in on the log-in page', async () => {
    const name = uniqueName('new');
    const taken = await TestClient.register(server.url, 'taken');
    oidc.user = { sub: name, name: 'New <b>One</b>' };
    const page = await openPage('/_matrix/static/client/login/');
    await page.getByRole('link', { name: 'Log in by another service' }).click();
    await page.getByRole('button', { name: 'Provider one' }).click();
    await page.getByText('New <b>One</b>').waitFor();
    const field = page.getByLabel('User name');
    await field.fill(taken.userId.slice(1).split(':')[0]!);
    await field.blur();
    await page.getByText('This name is taken.').waitFor();
    await field.fill(name);
    await field.blur();
    await page.getByRole('alert').filter({ hasNotText: 'taken' }).waitFor({ state: 'attached' });
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.getByText('You are logged in').waitFor();
    const profile = `/_matrix/client/v3/profile/${encodeURIComponent(`@${name}:test.example`)}`;
    const { displayname } = await taken.ok('GET', profile);
    assert.equal(displayname, 'New <b>One</b>');
    await page.context().close();
  });

  test('a client that is not trusted is named before it gets the token', async () => {
    oidc.user = { sub: uniqueName('sub') };
    const target = `${url}/_matrix/client/versions?x=1#home`;
    const query = new URLSearchParams({ redirectUrl: target }).toString();
    const page = await openPage(`/_matrix/client/v3/login/sso/redirect/oidc-one?${query}`);
    await page.getByLabel('User name').fill(uniqueName('asked'));
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.getByText(`${url}/_matrix/client/versions`, { exact: true }).waitFor();
    await page.getByRole('link', { name: 'Go on' }).click();
    await page.waitForURL(/loginToken=/);
    const { searchParams, hash } = new URL(page.url());
    assert.equal(searchParams.get('x'), '1');
    assert.equal(hash, '#home');
    const token = searchParams.get('loginToken');
    const body: Json = { type: 'm.login.token', token };
    await new TestClient(server.url).ok('POST', '/_matrix/client/v3/login', body);
    await page.context().close();
  });
});
