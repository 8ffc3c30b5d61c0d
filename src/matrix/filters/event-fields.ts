import type { JsonObject, JsonValue } from '../pdu.ts';

/** Cuts a path at its dots; `\.` is a dot in a name and `\\` a backslash. */
export function splitPath(path: string): string[] {
  if (!path.includes('\\')) return path.split('.');
  const parts: string[] = [];
  let part = '';
  for (let i = 0; i < path.length; i++) {
    const next = path[i + 1];
    if (path[i] === '\\' && (next === '.' || next === '\\')) {
      part += next;
      i++;
    } else if (path[i] === '.') {
      parts.push(part);
      part = '';
    } else part += path[i];
  }
  parts.push(part);
  return parts;
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Defines, so that a member named `__proto__` is one like any other. */
function setMember(object: JsonObject, name: string, value: JsonValue): void {
  Object.defineProperty(object, name, {
    value,
    enumerable: true,
    writable: true,
    configurable: true,
  });
}

function copyPath(from: JsonObject, to: JsonObject, path: readonly string[]): void {
  let source = from;
  const parents: string[] = [];
  for (const name of path.slice(0, -1)) {
    const next = Object.hasOwn(source, name) ? source[name] : undefined;
    if (!isObject(next)) return;
    source = next;
    parents.push(name);
  }
  const last = path.at(-1)!;
  if (!Object.hasOwn(source, last)) return;
  let target = to;
  for (const name of parents) {
    const known = Object.hasOwn(target, name) ? target[name] : undefined;
    const next: JsonObject = isObject(known) ? known : {};
    if (next !== known) setMember(target, name, next);
    target = next;
  }
  setMember(target, last, structuredClone(source[last]!));
}

/** Makes a function that keeps of an event only the members the filter's `event_fields` name. */
export function compileEventFields(fields: readonly string[]): (event: JsonObject) => JsonObject {
  const paths = fields.map(splitPath).toSorted((a, b) => a.length - b.length);
  return (event) => {
    const kept: JsonObject = {};
    for (const path of paths) copyPath(event, kept, path);
    return kept;
  };
}
