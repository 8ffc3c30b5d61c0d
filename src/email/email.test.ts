import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { startSmtpServer, type SmtpServer } from '../../test/harness/smtp.ts';
import { createLog } from '../kernel/log.ts';
import { Metrics } from '../kernel/metrics.ts';
import { createTemplates } from '../templates/module.ts';
import { createEmail, MailFailed, type Email, type SmtpConfig } from './module.ts';

let smtp: SmtpServer;
let email: Email;
const metrics = new Metrics();

const emailWith = (config: SmtpConfig | null, metrics = new Metrics(), sendMsMax?: number) =>
  createEmail({
    config,
    ...(sendMsMax === undefined ? {} : { sendMsMax }),
    serverName: 'test.example',
    templates: createTemplates(null),
    log: createLog('error', { write: () => undefined }),
    metrics,
  });

const configFor = (port: number): SmtpConfig => ({
  host: '127.0.0.1',
  port,
  login: { user: 'me', password: 'secret' },
  tls: 'offered',
  tlsName: 'localhost',
  from: 'Matrix <noreply@test.example>',
  appName: 'Matrix',
});

before(async () => {
  smtp = await startSmtpServer();
  email = emailWith(configFor(smtp.port), metrics);
});
after(async () => {
  email.close();
  await smtp.close();
});

const mail = {
  to: 'alice@example.org',
  subject: '[%(server_name)s] Hello %(person)s',
  template: 'registration',
  values: { link: 'https://test.example/a?b=1&c=2', person: 'Älice' },
};

test('a mail has both forms, the subject filled in, and asks for no automatic answer', async () => {
  await email.send(mail);
  const received = await smtp.next();
  assert.deepEqual(received.to, ['alice@example.org']);
  assert.equal(received.from, 'noreply@test.example');
  assert.ok(received.text.includes(mail.values.link));
  assert.match(received.raw, /Content-Type: text\/html/);
  assert.match(received.raw, /Auto-Submitted: auto-generated/);
  assert.match(received.raw, /^From: Matrix <noreply@test\.example>/m);
  assert.equal(smtp.logins[0], '\0me\0secret');
});

test('an address cannot bring headers or further recipients with it', async () => {
  await email.send({ ...mail, to: 'bob@example.org, eve@example.org' }).catch(() => undefined);
  await email.send({ ...mail, subject: 'x\r\nBcc: eve@example.org' });
  const all = smtp.mails.flatMap(({ to }) => to);
  assert.ok(!all.includes('eve@example.org'));
  assert.ok(!smtp.mails.some(({ raw }) => /^Bcc:/m.test(raw)));
});

test('a mail that is not taken is an error, as is a server that does not answer', async () => {
  smtp.refuse(true);
  await assert.rejects(email.send(mail), MailFailed);
  smtp.refuse(false);
  await email.send(mail);
  const counted = await metrics.registry.getSingleMetricAsString('synapse_emails_sent_total');
  const count = /type="registration"\} (\d+)/.exec(counted)?.[1];
  assert.equal(Number(count), smtp.mails.length, 'those that were taken are counted');
  await assert.rejects(emailWith(null).send(mail), MailFailed);
});

test('a mail server that goes on talking holds up nobody for ever', async (t) => {
  const talking = createServer((socket) => {
    socket.on('error', () => undefined);
    const timer = setInterval(() => socket.write('250-more\r\n'), 5);
    socket.on('close', () => clearInterval(timer));
    socket.write('220 test\r\n');
  });
  talking.listen(0, '127.0.0.1');
  await once(talking, 'listening');
  t.after(() => talking.close());
  const { port } = talking.address() as AddressInfo;
  const slow = emailWith(configFor(port), new Metrics(), 100);
  t.after(() => slow.close());
  await Promise.all(Array.from({ length: 8 }, () => assert.rejects(slow.send(mail), MailFailed)));
});
