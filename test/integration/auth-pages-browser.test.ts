import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, suite, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { chromiumPath, startBrowser } from '../harness/browser.ts';
import { TestClient, uniqueName } from '../harness/client.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

// The pages for people, in a real browser: their scripts run, and their forms are sent by clicks.

const publicUrl = 'https://matrix.test.example';
/** Stands for the maker's script: a button that solves the captcha. */
const captchaScript = `addEventListener('load', () => {
  const widget = document.querySelector('.g-recaptcha');
  widget.innerHTML = '<textarea name="g-recaptcha-response" hidden></textarea>' +
    '<button type="button">I am a person</button>';
  widget.querySelector('button').onclick = () => {
    widget.querySelector('textarea').value = 'solved with ' + widget.dataset.sitekey;
    window[widget.dataset.callback]();
  };
});`;
const consentTemplate = `{% if has_consented %}<p>Thank you, {{ user }}</p>
{% elif public_version %}<p>Terms {{ version }}</p>
{% else %}<form method="post"><input type="hidden" name="v" value="{{ version }}">
<input type="hidden" name="u" value="{{ user }}"><input type="hidden" name="h" value="{{ userhmac }}">
<button>Agree</button></form>{% endif %}`;

const skip = chromiumPath === null ? 'there is no Chromium here' : false;

suite('pages in a browser', { skip }, () => {
  let folder: string;
  let captchas: Server;
  let server: TestServer;
  let plain: TestServer;
  let byToken: TestServer;
  let browser: Browser;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lattice-terms-'));
    await mkdir(join(folder, 'en'));
    await writeFile(join(folder, 'en', '1.0.html'), consentTemplate);
    await writeFile(join(folder, 'en', 'success.html'), '<p>Noted</p>');
    captchas = createServer((req, res) => {
      const reply = (body: string) => {
        const solution = new URLSearchParams(body).get('response');
        res.end(JSON.stringify({ success: solution === 'solved with the public key' }));
      };
      void text(req).then(reply);
    });
    captchas.listen(0, '127.0.0.1');
    await once(captchas, 'listening');
    const { port } = captchas.address() as AddressInfo;
    const consent = `public_baseurl: ${publicUrl}
form_secret: a secret
user_consent:
  template_dir: ${folder}
  version: '1.0'
`;
    [server, plain, byToken, browser] = await Promise.all([
      startTestServer(`${consent}  require_at_registration: true
ip_range_whitelist: ['127.0.0.1/32']
enable_registration_captcha: true
recaptcha_public_key: the public key
recaptcha_private_key: the private key
recaptcha_siteverify_api: http://127.0.0.1:${port}/check
`),
      startTestServer(`${consent}  block_events_error: 'Accept the terms first'\n`),
      startTestServer('registration_requires_token: true\n'),
      startBrowser(chromiumPath!),
    ]);
  });
  after(async () => {
    await browser.close();
    await Promise.all([server.close(), plain.close(), byToken.close()]);
    captchas.close();
    await rm(folder, { recursive: true, force: true });
  });

  const register = '/_matrix/client/v3/register';
  const pagePath = (stage: string, session: string) =>
    `/_matrix/client/v3/auth/${stage}/fallback/web?session=${session}`;

  /** A page of a browser without a past. Scripts that fail, fail the test. */
  async function openPage({ url }: TestServer, path: string): Promise<Page> {
    const context = await browser.newContext();
    await context.route('https://www.recaptcha.net/**', (route) =>
      route.fulfill({ contentType: 'text/javascript', body: captchaScript }),
    );
    await context.route(`${publicUrl}/**`, async (route) => {
      const asked = new URL(route.request().url());
      await route.fulfill({ response: await route.fetch({ url: url + asked.pathname }) });
    });
    const page = await context.newPage();
    page.on('pageerror', (error) => failures.push(error));
    await page.goto(url + path);
    return page;
  }
  const failures: Error[] = [];

  async function begin({ url }: TestServer): Promise<string> {
    const { body } = await new TestClient(url).request('POST', register, {
      username: uniqueName('new'),
      password: 'a password',
    });
    return body['session'] as string;
  }

  test('a client opens the pages of captcha and terms, and hears when they are done', async () => {
    const session = await begin(server);
    const client = await openPage(server, '/');
    for (const [stage, button] of [
      ['m.login.recaptcha', 'I am a person'],
      ['m.login.terms', 'I accept them'],
    ] as const) {
      // oxlint-disable no-await-in-loop
      const popup = client.waitForEvent('popup');
      const told = client.evaluate(`new Promise((resolve) => {
        addEventListener('message', ({ data }) => resolve(data), { once: true });
        open(${JSON.stringify(pagePath(stage, session))});
      })`);
      const page = await popup;
      if (stage === 'm.login.terms') {
        const terms = page.waitForEvent('popup');
        await page.getByRole('link', { name: 'terms' }).click();
        await (await terms).getByText('Terms 1.0').waitFor();
      }
      await page.getByRole('button', { name: button }).click();
      assert.equal(await told, 'authDone');
      await page.getByText('You may close this window').waitFor();
      // oxlint-enable no-await-in-loop
    }
    // The client only names the session.
    const made = await new TestClient(server.url).ok('POST', register, { auth: { session } });
    assert.ok(made['access_token']);
    await client.context().close();
  });

  test('the page of the dummy stage tells the web view it is in', async () => {
    const session = await begin(plain);
    const page = await openPage(plain, '/');
    const done = new Promise<void>((resolve) => {
      void page.exposeFunction('onAuthDone', () => resolve());
    });
    await page.goto(plain.url + pagePath('m.login.dummy', session));
    await page.getByRole('button', { name: 'Go on' }).click();
    await done;
    const made = await new TestClient(plain.url).ok('POST', register, { auth: { session } });
    assert.ok(made['access_token']);
    await page.context().close();
  });

  test('a wrong registration token is asked for again', async () => {
    const session = await begin(byToken);
    const page = await openPage(byToken, pagePath('m.login.registration_token', session));
    await page.getByLabel('The token you were given').fill('<b>wrong</b>');
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.getByRole('alert').getByText('Invalid registration token').waitFor();
    assert.equal(await page.getByLabel('The token you were given').inputValue(), '');
    assert.equal(new URL(page.url()).searchParams.get('session'), session);
    await page.context().close();
  });

  test('somebody logs in on the log-in page', async () => {
    const alice = await TestClient.register(plain.url, 'alice');
    const [name] = alice.userId.slice(1).split(':') as [string];
    const page = await openPage(plain, '/');
    const loggedIn = new Promise<Record<string, unknown>>((resolve) => {
      void page.exposeFunction('onLogin', (answer: Record<string, unknown>) => resolve(answer));
    });
    await page.goto(`${plain.url}/_matrix/static/client/login/?device_id=WEBVIEW`);
    await page.getByLabel('User name').fill(name);
    await page.getByLabel('Password').fill('wrong');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('alert').getByText('Invalid username or password').waitFor();
    await page.getByLabel('Password').fill(`password of ${name}`);
    await page.getByRole('button', { name: 'Log in' }).click();
    const answer = await loggedIn;
    assert.equal(answer['user_id'], alice.userId);
    assert.equal(answer['device_id'], 'WEBVIEW');
    await page.context().close();
  });

  test('somebody accepts the terms by the link they are sent', async () => {
    const bob = await TestClient.register(plain.url, 'bob');
    const refused = await bob.request('POST', '/_matrix/client/v3/createRoom', {});
    assert.equal(refused.body['errcode'], 'M_CONSENT_NOT_GIVEN');
    const { pathname, search } = new URL(refused.body['consent_uri'] as string);
    const page = await openPage(plain, pathname + search);
    await page.getByRole('button', { name: 'Agree' }).click();
    await page.getByText('Noted').waitFor();
    await page.goto(plain.url + pathname + search);
    await page.getByText('Thank you, bob').waitFor();
    await bob.createRoom();
    await page.context().close();
  });

  test('no script of a page has failed', () => {
    assert.deepEqual(failures, []);
  });
});
