import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { UnderWay, type Placed } from './under-way.ts';

test('it holds what was added and not deleted', () => {
  fc.assert(
    fc.property(fc.array(fc.nat()), (choices) => {
      const list = new UnderWay<Placed>();
      const expected: Placed[] = [];
      for (const choice of choices) {
        if (choice % 3 > 0 || expected.length === 0) {
          const item = { place: -1 };
          list.add(item);
          expected.push(item);
        } else {
          const [item] = expected.splice(choice % expected.length, 1);
          list.delete(item!);
        }
      }
      assert.equal(list.size, expected.length);
      assert.deepEqual(new Set(list.all()), new Set(expected));
      assert.ok(list.all().every((item, i) => item.place === i));
    }),
  );
});
