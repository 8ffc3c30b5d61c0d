import assert from 'node:assert/strict';
import { test } from 'node:test';
import { declaredRows } from '../../src/apps/declared-rows.ts';
import { defaultRoutingSettings, workerApps } from '../../src/routing/apps.ts';
import { createClassifier } from '../../src/routing/classify.ts';
import { routeTable } from '../../src/routing/table.ts';
import { readManual, samplesOf, skip } from './worker-manual.ts';

test('every pattern of the worker manual goes to its app', { skip }, () => {
  const declared = declaredRows();
  const wrong: string[] = [];
  let count = 0;
  for (const [app, { endpoints }] of Object.entries(readManual().apps)) {
    assert.ok((workerApps as readonly string[]).includes(app), app);
    for (const { regex, condition } of endpoints) {
      const isPresenceEnabled = condition?.setting?.use_presence !== false;
      const settings = { ...defaultRoutingSettings, isPresenceEnabled };
      const classify = createClassifier(routeTable(declared, settings), settings);
      for (const method of condition?.methods ?? ['GET', 'PUT', 'POST']) {
        for (const url of samplesOf(regex)) {
          assert.match(url, new RegExp(regex));
          const placed = classify(method, url, {});
          if (placed.app !== app) wrong.push(`${method} ${url}: ${placed.app} instead of ${app}`);
          count++;
        }
      }
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(count > 400, `${count} URLs were tried`);
});

test('the balance keys are those of the worker manual', { skip }, () => {
  const settings = defaultRoutingSettings;
  const classify = createClassifier(routeTable(declaredRows(), settings), settings);
  const keys: Record<string, string> = {
    sync: 'user',
    federation_inbound_transactions: 'origin',
    pagination: 'room',
    registration_login: 'none',
  };
  for (const { endpoints } of Object.values(readManual().apps)) {
    for (const { regex, group } of endpoints) {
      const expected = keys[group];
      if (expected === undefined) continue;
      for (const url of samplesOf(regex)) assert.equal(classify('GET', url, {}).balance, expected);
    }
  }
});

test('groups: only GET leaves the main process', () => {
  const settings = defaultRoutingSettings;
  const classify = createClassifier(routeTable([], settings), settings);
  const url = '/_matrix/federation/v1/groups/+a:b/profile';
  assert.equal(classify('GET', url, {}).app, 'generic_worker');
  assert.equal(classify('POST', url, {}).app, 'main');
});
