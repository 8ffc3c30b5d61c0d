import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { loadConfig } from '../config/config.ts';
import type { WorkerApp } from '../routing/apps.ts';
import { willingnessOf } from './roles.ts';

async function workersOf(t: TestContext, yaml: string) {
  const folder = await mkdtemp(join(tmpdir(), 'roles-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'homeserver.yaml');
  await writeFile(path, `server_name: a.org\nredis: {enabled: true}\n${yaml}\n`);
  return (await loadConfig([path])).config.workers;
}

const ownApps = {
  pusher: 'pusher',
  federation_sender: 'federation_sender',
  appservice: 'appservice',
  user_directory: 'user_dir',
  media: 'media_repository',
} as const;

test('without settings each role is its app’s, and others stand in', async (t) => {
  const workers = await workersOf(t, '');
  const of = (role: string, app: WorkerApp) => willingnessOf(role, { app, name: 'x' }, workers);
  for (const [role, app] of Object.entries(ownApps)) {
    assert.deepEqual(
      [of(role, app), of(role, 'main'), of(role, 'generic_worker'), of(role, 'frontend_proxy')],
      ['first', 'stand-in', 'stand-in', 'never'],
      role,
    );
  }
  assert.deepEqual(
    [of('events', 'main'), of('events', 'generic_worker'), of('events', 'pusher')],
    ['first', 'first', 'never'],
  );
});

for (const [option, role] of [
  ['start_pushers: false', 'pusher'],
  ['send_federation: false', 'federation_sender'],
  ['notify_appservices: false', 'appservice'],
  ['update_user_directory: false', 'user_directory'],
  ['enable_media_repo: false', 'media'],
] as const) {
  test(`\`${option}\`: the main process leaves the work to others`, async (t) => {
    const workers = await workersOf(t, option);
    const of = (app: WorkerApp) => willingnessOf(role, { app, name: 'x' }, workers);
    assert.deepEqual(
      [of('main'), of('generic_worker'), of(ownApps[role])],
      ['never', 'stand-in', 'first'],
    );
  });
}

for (const [option, role] of [
  ['pusher_instances: [w1, w2]', 'pusher'],
  ['federation_sender_instances: [w1, w2]', 'federation_sender'],
  ['run_background_tasks_on: [w1, w2]', 'background'],
  ['run_background_tasks_on: [w1, w2]', 'room_jobs'],
  ['update_user_directory_from_worker: [w1, w2]', 'user_directory'],
  ['notify_appservices_from_worker: [w1, w2]', 'appservice'],
  ['media_instance_running_background_jobs: [w1, w2]', 'media'],
  ['stream_writers: {events: [w1, w2]}', 'events'],
  ['stream_writers: {typing: [w1, w2]}', 'typing'],
] as const) {
  test(`\`${option}\`: these hold the role and nobody else, whatever their app`, async (t) => {
    const workers = await workersOf(t, option);
    const of = (name: string, app: WorkerApp) => willingnessOf(role, { app, name }, workers);
    assert.deepEqual(
      [of('w1', 'generic_worker'), of('w2', 'pusher'), of('w3', 'pusher'), of('main', 'main')],
      ['first', 'first', 'never', 'never'],
    );
  });
}

test('one name will do, and `master` is the main process', async (t) => {
  const workers = await workersOf(t, 'run_background_tasks_on: master');
  const of = (name: string, app: WorkerApp) => willingnessOf('background', { app, name }, workers);
  assert.deepEqual([of('main', 'main'), of('w', 'generic_worker')], ['first', 'never']);
});
