import { Type } from 'typebox';
import { endpoint, JsonText, type DeclaredEndpoint } from '../../http/endpoint.ts';
import { authedPaths, mediaPaths } from '../paths.ts';
import type { Previews } from '../previews/previews.ts';

export interface PreviewNeeds {
  previews: Previews;
}

const declare = endpoint<PreviewNeeds>();
const shared = {
  method: 'GET',
  auth: 'user',
  resource: 'media',
  runsOn: { group: 'media', balance: 'none' },
  summary: 'What clients show of a link',
  query: Type.Object({ url: Type.String(), ts: Type.Optional(Type.Integer({ minimum: 0 })) }),
  errors: ['M_INVALID_PARAM', 'M_UNKNOWN', 'M_LIMIT_EXCEEDED'],
} as const;

const getUrlPreview = declare({
  ...shared,
  operation: 'getUrlPreview',
  paths: mediaPaths('/preview_url'),
  deprecated: true,
  source: 'CS 1.19, getUrlPreview',
  handle: async ({ query }, { previews }) =>
    new JsonText(await previews.of(query.url, query.ts ?? null)),
});

const getUrlPreviewAuthed = declare({
  ...shared,
  operation: 'getUrlPreviewAuthed',
  paths: authedPaths('/preview_url'),
  source: 'CS 1.19, getUrlPreviewAuthed',
  handle: async ({ query }, { previews }) =>
    new JsonText(await previews.of(query.url, query.ts ?? null)),
});

export const previewEndpoints: readonly DeclaredEndpoint<PreviewNeeds>[] = [
  getUrlPreview,
  getUrlPreviewAuthed,
];
