import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { parse } from 'yaml';

/**
 * Holds answers against the OpenAPI description of the specification. Where the description is not
 * at hand the checks are skipped, which is said once.
 */
const folder = resolve(
  process.env['LATTICE_SPEC'] ?? join(import.meta.dirname, '../../../shared/spec/openapi'),
);

type Node = Record<string, unknown>;

interface Operation {
  method: string;
  pattern: RegExp;
  /** Parameters in the path: fewer is more exact. */
  parameters: number;
  responses: Record<string, Node>;
  validators: Map<string, ValidateFunction | null>;
}

const cacheFolder = join(import.meta.dirname, '../../node_modules/.cache/lattice-openapi');

/** A YAML file, by way of a copy as JSON: every test process reads them, and YAML takes it a second. */
function readYaml(path: string): unknown {
  const { size, mtimeMs } = statSync(path);
  const state = createHash('sha256').update(`${path} ${size} ${mtimeMs}`).digest('hex');
  const copy = join(cacheFolder, `${state}.json`);
  if (existsSync(copy)) return JSON.parse(readFileSync(copy, 'utf8'));
  const document: unknown = parse(readFileSync(path, 'utf8'));
  mkdirSync(cacheFolder, { recursive: true });
  const unfinished = `${copy}.${process.pid}`;
  writeFileSync(unfinished, JSON.stringify(document));
  renameSync(unfinished, copy);
  return document;
}

const documents = new Map<string, unknown>();

function load(path: string): unknown {
  if (!documents.has(path)) {
    const isJson = path.endsWith('.json');
    documents.set(path, isJson ? JSON.parse(readFileSync(path, 'utf8')) : readYaml(path));
  }
  return documents.get(path);
}

const isObject = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The value with all references put in place; circular ones become anything. */
function inline(value: unknown, file: string, trail: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((entry) => inline(entry, file, trail));
  if (!isObject(value)) return value;
  const reference = value['$ref'];
  if (typeof reference === 'string') {
    const [path = '', pointer = ''] = reference.split('#');
    const target = path === '' ? file : join(dirname(file), path);
    const name = `${target}#${pointer}`;
    if (trail.includes(name) || !existsSync(target)) return {};
    let found: unknown = load(target);
    for (const step of pointer.split('/').slice(1)) found = (found as Node)[step];
    return inline(found, target, [...trail, name]);
  }
  const copy: Node = {};
  for (const [key, entry] of Object.entries(value)) {
    if (key === 'example' || key === 'examples' || key.startsWith('x-')) continue;
    if (key === 'format' || key === 'pattern') continue;
    copy[key] = inline(entry, file, trail);
  }
  return copy;
}

function readOperations(path: string): Operation[] {
  const document = load(path);
  if (!isObject(document) || !isObject(document['paths'])) return [];
  const servers = document['servers'] as { variables?: { basePath?: { default?: string } } }[];
  const base = servers?.[0]?.variables?.basePath?.default ?? '';
  return Object.entries(document['paths']).flatMap(([name, methods]) =>
    Object.entries(methods as Node).flatMap(([method, operation]) => {
      if (!isObject(operation) || !isObject(operation['responses'])) return [];
      const source = (base + name)
        .replace(/[.+*?^$()|[\]\\]/g, '\\$&')
        .replace(/\{[^}]+\}/g, '[^/]+');
      return [
        {
          method: method.toUpperCase(),
          pattern: new RegExp(`^${source}$`),
          parameters: name.split('{').length,
          responses: operation['responses'] as Record<string, Node>,
          validators: new Map(),
          path,
        },
      ];
    }),
  ) as Operation[];
}

const folders = ['client-server', 'server-server'].map((name) => join(folder, 'api', name));
const isThere = folders.every((one) => existsSync(one));
if (!isThere) console.log('the specification is not at hand: answers are not held against it');

const operations: (Operation & { path: string })[] = isThere
  ? (folders
      .flatMap((one) => readdirSync(one).map((name) => join(one, name)))
      .filter((path) => path.endsWith('.yaml') || path.endsWith('.json'))
      .flatMap((path) => readOperations(path))
      .toSorted((a, b) => a.parameters - b.parameters) as never)
  : [];

const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });

function validatorFor(operation: Operation & { path: string }, status: string) {
  if (operation.validators.has(status)) return operation.validators.get(status)!;
  const response = operation.responses[status];
  const content = (response?.['content'] as Record<string, Node> | undefined)?.['application/json'];
  const schema = content?.['schema'];
  const validate = schema ? ajv.compile(inline(schema, operation.path, []) as object) : null;
  operation.validators.set(status, validate);
  return validate;
}

/** Throws AssertionError when the specification describes the answer otherwise. */
export function checkResponse(method: string, url: string, status: number, body: unknown): void {
  const [path = '', query = ''] = url.split('?');
  // A delayed event has no id yet, whatever the specification says of sending.
  if (query.includes('org.matrix.msc4140.delay=')) return;
  // Clients, and Complement, expect both members for everybody: null for who has no name or picture.
  if (path.endsWith('/joined_members')) return;
  const operation = operations.find((known) => known.method === method && known.pattern.test(path));
  const validate = operation && validatorFor(operation, String(status));
  if (!validate || validate(body)) return;
  const faults = (validate.errors ?? [])
    .slice(0, 5)
    .map(({ instancePath, message }) => `${instancePath} ${message ?? ''}`);
  assert.fail(`${method} ${path} ${status} is not as specified: ${faults.join('; ')}`);
}
