import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog, readableLines } from './log.ts';

function gathering() {
  const lines: string[] = [];
  return { lines, write: (line: string) => void lines.push(line) };
}

test('entries are objects a line, with the level in words; less important ones are left out', () => {
  const output = gathering();
  const log = createLog('info', output);
  log.debug('nothing');
  log.child({ request: 'GET-1' }).warn({ code: 3 }, 'careful');
  assert.equal(output.lines.length, 1);
  const { time, ...entry } = JSON.parse(output.lines[0]!) as Record<string, unknown>;
  assert.deepEqual(entry, { level: 'warn', request: 'GET-1', code: 3, msg: 'careful' });
  assert.equal(new Date(String(time)).toISOString(), time);
});

test('on a terminal entries are lines for people, with stacks below', () => {
  const output = gathering();
  const log = createLog('info', readableLines(output));
  log.info({ port: 8008, host: 'a' }, 'listening');
  log.error({ err: new Error('oh') }, 'bug');
  assert.match(
    output.lines[0]!,
    /^\d\d:\d\d:\d\d\.\d{3} info {2}listening {2}port=8008 {2}host=a\n$/,
  );
  assert.match(output.lines[1]!, /^\S+ error bug\n {2}Error: oh\n {6}at /);
});

test('a line that is no entry stays as it is', () => {
  const output = gathering();
  for (const line of ['(node:1) Warning: x\n', '12\n']) readableLines(output).write(line);
  assert.deepEqual(output.lines, ['(node:1) Warning: x\n', '12\n']);
});
