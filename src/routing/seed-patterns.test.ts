import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { declaredRows } from '../apps/declared-rows.ts';
import { defaultRoutingSettings, workerApps } from './apps.ts';
import { createClassifier } from './classify.ts';
import { routeTable } from './table.ts';

const path = join(import.meta.dirname, '..', '..', '..', 'shared', 'spec', 'seed-workers.json');

interface SeedEndpoint {
  regex: string;
  group: string;
  condition?: { kind: string; methods?: string[]; setting?: { use_presence: boolean } };
}
interface Seed {
  apps: Record<string, { endpoints: SeedEndpoint[] }>;
}

/** Every choice of `(a|b)` in a pattern. */
function choices(pattern: string): string[] {
  const found = /\(([^()]+)\)/.exec(pattern);
  if (!found) return [pattern];
  const [whole, inside] = [found[0], found[1]!];
  return inside.split('|').flatMap((one) => choices(pattern.replace(whole, one)));
}

/** URLs that a pattern of the worker manual takes. */
function samplesOf(regex: string): string[] {
  const isPrefix = !regex.endsWith('$');
  return choices(regex.replace(/^\^/, '').replace(/\$$/, '')).flatMap((choice) => {
    const url = choice.replace(/\.\*|\[\^\/\]\+/g, '!room%3Aexample.org');
    if (!isPrefix) return [url];
    return url.endsWith('/') ? [`${url}x`, `${url}x/y`] : [url, `${url}/x`, `${url}/x/y`];
  });
}

const skip = existsSync(path) ? false : 'the list of patterns is not here';

test('every pattern of the worker manual goes to its app', { skip }, () => {
  const { apps } = JSON.parse(readFileSync(path, 'utf8')) as Seed;
  const declared = declaredRows();
  const wrong: string[] = [];
  let count = 0;
  for (const [app, { endpoints }] of Object.entries(apps)) {
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

test('groups: only GET leaves the main process', () => {
  const settings = defaultRoutingSettings;
  const classify = createClassifier(routeTable([], settings), settings);
  const url = '/_matrix/federation/v1/groups/+a:b/profile';
  assert.equal(classify('GET', url, {}).app, 'generic_worker');
  assert.equal(classify('POST', url, {}).app, 'main');
});
