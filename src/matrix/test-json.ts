import fc from 'fast-check';
import { anyText } from '../kernel/test-text.ts';
import type { JsonObject, JsonValue } from './pdu.ts';

/** Keys that sort differently by code unit and code point, look like numbers, or are special. */
const awkwardKeys = ['', '9', '10', '__proto__', 'é', '日', '\uFFFD', '\u{1F600}', 'constructor'];

const anyKey = fc.oneof(anyText(), fc.constantFrom(...awkwardKeys));

const { value, object } = fc.letrec<{ value: JsonValue; object: JsonObject }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    anyText(),
    fc.array(tie('value'), { maxLength: 4 }),
    tie('object'),
  ),
  object: fc.dictionary(anyKey, tie('value'), { maxKeys: 5, noNullPrototype: true }),
}));

/** JSON that has a canonical form. */
export const anyJsonValue = value;
export const anyJsonObject = object;
