import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LiveTable } from './live-table.ts';

/** A terminal that knows what the table uses: lines, up, carriage return, clear to the end. */
function createTerminal(columns: number, rows: number) {
  const lines = [''];
  let row = 0;
  return {
    columns,
    rows,
    shown: () => lines.join('\n'),
    write(text: string) {
      // oxlint-disable-next-line no-control-regex
      for (const [part, up] of text.matchAll(/\u001B\[(?:(\d+)A|J)|[^\u001B]/g)) {
        if (up !== undefined) row -= Number(up);
        else if (part.endsWith('[J')) lines.splice(row, Infinity, '');
        else if (part === '\n') lines[++row] ??= '';
        else if (part !== '\r') lines[row] += part;
        assert.ok(row >= 0 && lines[row]!.length <= columns, 'nothing wraps');
      }
      return true;
    },
  };
}

test('what is written stays above the table, which is there once', () => {
  const terminal = createTerminal(20, 10);
  let text = 'name\nfirst';
  const table = new LiveTable(terminal, () => text);
  table.write('a worker ended\n');
  text = 'name\nfirst\nsecond';
  table.write('and again\n');
  table.stop();
  assert.equal(terminal.shown(), 'a worker ended\nand again\nname\nfirst\nsecond\n');
});

test('lines are as long and as many as the terminal has room for', () => {
  const terminal = createTerminal(10, 4);
  const table = new LiveTable(terminal, () =>
    ['123456789', 'a'.repeat(30), 'x', 'y', 'z'].join('\n'),
  );
  table.write('log\n');
  table.stop();
  assert.equal(terminal.shown(), `log\n123456789\n${'a'.repeat(8)}…\nx\n`);
});
