import type { TSchema } from 'typebox';
import { errorStatus } from '../kernel/errors.ts';
import type { Endpoint } from './endpoint.ts';

const parametersOf = (path: string, query: TSchema | undefined) => {
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const { properties = {}, required = [] } = (query ?? {}) as {
    properties?: Record<string, unknown>;
    required?: string[];
  };
  const inQuery = Object.entries(properties).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema,
  }));
  return [...inPath, ...inQuery];
};

function responsesOf({ answers, errors }: Endpoint): Record<string, object> {
  const responses: Record<string, object> = { 200: { description: 'Done' } };
  for (const [status, schema] of Object.entries(answers)) {
    responses[status] = { description: '', content: { 'application/json': { schema } } };
  }
  for (const code of errors) {
    const status = String(errorStatus[code]);
    const before = responses[status] as { description: string } | undefined;
    responses[status] = { description: before ? `${before.description}, ${code}` : code };
  }
  return responses;
}

/** All endpoints as an OpenAPI 3.1 description. */
export function openApiOf(
  endpoints: readonly Endpoint[],
  version: string,
): Record<string, unknown> {
  const paths: Record<string, Record<string, object>> = {};
  for (const endpoint of endpoints) {
    for (const [i, path] of endpoint.paths.entries()) {
      const name = path.replace(/:(\w+)/g, '{$1}');
      const operation: Record<string, unknown> = {
        operationId: i === 0 ? endpoint.operation : `${endpoint.operation}_${i}`,
        summary: endpoint.summary,
        tags: [endpoint.runsOn.group],
        deprecated: endpoint.deprecated || i > 0,
        parameters: parametersOf(path, endpoint.query),
        responses: responsesOf(endpoint),
      };
      if (endpoint.source !== '')
        operation['externalDocs'] = {
          description: endpoint.source,
          url: 'https://spec.matrix.org/',
        };
      if (endpoint.auth !== 'none') operation['security'] = [{ accessToken: [] }];
      if (endpoint.body) {
        operation['requestBody'] = { content: { 'application/json': { schema: endpoint.body } } };
      }
      (paths[name] ??= {})[endpoint.method.toLowerCase()] = operation;
    }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Lattice', version },
    components: { securitySchemes: { accessToken: { type: 'http', scheme: 'bearer' } } },
    paths,
  };
}
