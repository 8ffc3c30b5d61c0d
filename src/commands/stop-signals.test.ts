import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stopOnSignals } from './stop-signals.ts';

test('one signal stops, its echo is ignored, a later one aborts', () => {
  let now = 1000;
  const done: string[] = [];
  const onSignal = stopOnSignals(
    () => now,
    () => void done.push('stop'),
    () => void done.push('abort'),
  );
  onSignal();
  now += 10;
  onSignal();
  assert.deepEqual(done, ['stop']);
  now += 1000;
  onSignal();
  assert.deepEqual(done, ['stop', 'abort']);
});
