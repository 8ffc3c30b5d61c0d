import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { createTestDatabase, type TestDatabase } from '../database/test-database.ts';
import type { Mail } from '../email/module.ts';
import { createLog } from '../kernel/log.ts';
import { createRenewals } from './renewals.ts';
import { createRenewalStore } from './store/renewals.ts';

let opened: TestDatabase;
let admin: pg.Client;
before(async () => {
  opened = await createTestDatabase();
  admin = new pg.Client(opened.connection);
  await admin.connect();
});
after(async () => {
  await admin.end();
  await opened.close();
});

const dayMs = 86_400_000;
let now = 1_000 * dayMs;
let userNids = 0;

/** An account as its registration from before has left it. */
async function account(more: { mail?: boolean; guest?: boolean } = {}): Promise<number> {
  const userNid = ++userNids;
  await admin.query(
    `insert into users (user_nid, user_id) overriding system value values ($1, $2)`,
    [userNid, `@u${userNid}:test`],
  );
  await admin.query('insert into accounts (user_nid, created_ts, is_guest) values ($1, 0, $2)', [
    userNid,
    more.guest ?? false,
  ]);
  if (more.mail) {
    await admin.query(`insert into account_threepids values ($1, 'email', $2, 0, 0)`, [
      userNid,
      `u${userNid}@test`,
    ]);
  }
  return userNid;
}

async function endOf(userNid: number): Promise<number | null> {
  const { rows } = await admin.query('select valid_until_ts from accounts where user_nid = $1', [
    userNid,
  ]);
  const [row] = rows as { valid_until_ts: string | null }[];
  return row!.valid_until_ts === null ? null : Number(row!.valid_until_ts);
}

function setUp(fails = () => false) {
  const mails: Mail[] = [];
  const renewals = createRenewals({
    config: {
      periodMs: 40 * dayMs,
      renewAtMs: 7 * dayMs,
      subject: 's',
      renewedTemplate: '',
      invalidTokenTemplate: '',
    },
    clock: { now: () => now },
    log: createLog('error'),
    email: {
      isEnabled: true,
      async send(mail) {
        if (fails()) throw new Error('no mail server');
        mails.push(mail);
      },
      close: () => undefined,
    },
    store: createRenewalStore(opened.database),
    baseUrl: 'https://test',
    async setValidUntil({ userNid }, until) {
      await admin.query('update accounts set valid_until_ts = $2 where user_nid = $1', [
        userNid,
        until,
      ]);
    },
    displayNameOf: async ({ userId }) => userId,
  });
  return { renewals, mails };
}

const tokenIn = (mail: Mail) => /token=(\w+)$/.exec(String(mail.values['url']))![1]!;

test('accounts from before get an end in the last tenth of the period; guests do not', async () => {
  const [old, guest] = [await account(), await account({ guest: true })];
  const { renewals, mails } = setUp();
  await renewals.sweep();
  const end = (await endOf(old))!;
  assert.ok(end > now + 36 * dayMs - 1 && end <= now + 40 * dayMs, `${end - now}`);
  assert.equal(await endOf(guest), null);
  assert.equal(mails.length, 0);
});

test('one mail for an end, by whichever process; the link renews once', async () => {
  const user = await account({ mail: true });
  const [one, two] = [setUp(), setUp()];
  await one.renewals.begin({ userNid: user, userId: '@x:test' });
  now += 33 * dayMs;
  await Promise.all([one.renewals.sweep(), two.renewals.sweep(), one.renewals.sweep()]);
  const mails = [...one.mails, ...two.mails].filter(({ to }) => to === `u${user}@test`);
  assert.equal(mails.length, 1);
  assert.equal(mails[0]!.template, 'notice_expiry');
  now += 1_000;
  const token = tokenIn(mails[0]!);
  const done = await two.renewals.renewByToken(token);
  assert.deepEqual(done, { result: 'renewed', validUntilTs: now + 40 * dayMs });
  assert.equal(await endOf(user), now + 40 * dayMs);
  const end = now + 40 * dayMs;
  now += dayMs;
  assert.deepEqual(await one.renewals.renewByToken(token), {
    result: 'renewed before',
    validUntilTs: end,
  });
  assert.equal((await one.renewals.renewByToken('other')).result, 'unknown');
  now += 35 * dayMs;
  await one.renewals.sweep();
  const later = [...one.mails, ...two.mails].filter(({ to }) => to === `u${user}@test`);
  assert.equal(later.length, 2, 'the new end is told of too');
  assert.equal((await one.renewals.renewByToken(token)).result, 'unknown', 'the old link is void');
});

test('a mail that could not be sent is sent by a later sweep', async () => {
  const user = await account({ mail: true });
  let isDown = true;
  const { renewals, mails } = setUp(() => isDown);
  await renewals.renew({ userNid: user, userId: '@x:test' }, now + dayMs, true);
  await renewals.sweep();
  isDown = false;
  await renewals.sweep();
  assert.equal(mails.filter(({ to }) => to === `u${user}@test`).length, 1);
});

test('an admin can renew without any mail', async () => {
  const user = await account({ mail: true });
  const { renewals, mails } = setUp();
  const until = await renewals.renew({ userNid: user, userId: '@x:test' }, null, false);
  assert.equal(until, now + 40 * dayMs);
  now += 39 * dayMs;
  await renewals.sweep();
  assert.equal(mails.filter(({ to }) => to === `u${user}@test`).length, 0);
});
