import { Type } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { joinPdu } from '../../matrix/event-builder.ts';
import type { ReportKind, ReportRow, ReportStore } from '../store/reports.ts';

const declare = endpoint<{ store: ReportStore }>();

const limitDefault = 100;
const limitMax = 1_000;
const shared = {
  auth: 'admin',
  resource: 'client',
  runsOn: { group: 'admin', balance: 'none' },
} as const;

const eventMembers = (row: ReportRow) => ({
  event_id: row.eventId,
  room_id: row.roomId,
  sender: row.target,
  score: row.score,
  name: row.roomName,
  canonical_alias: row.canonicalAlias,
});

/** What each kind shows beside the members that all have. */
const membersOf: Record<ReportKind, (row: ReportRow) => object> = {
  event: eventMembers,
  room: (row) => ({
    room_id: row.roomId,
    name: row.roomName,
    canonical_alias: row.canonicalAlias,
  }),
  user: (row) => ({ target_user_id: row.target }),
};

const reportOf = (kind: ReportKind, row: ReportRow) => ({
  id: row.id,
  received_ts: row.receivedTs,
  user_id: row.reporter,
  reason: row.reason,
  ...membersOf[kind](row),
});

function idOf(text: string | undefined): number {
  if (/^\d{1,15}$/.test(text ?? '')) return Number(text);
  throw new MatrixError('M_INVALID_PARAM', 'The report id must be a positive integer');
}

const notFound = (kind: ReportKind) =>
  new MatrixError('M_NOT_FOUND', `${kind[0]!.toUpperCase()}${kind.slice(1)} report not found`);

function endpointsFor(kind: ReportKind) {
  const path = `/_synapse/admin/v1/${kind}_reports`;
  const name = `${kind[0]!.toUpperCase()}${kind.slice(1)}`;
  const source = `Synapse admin API, ${path}`;
  const list = declare({
    ...shared,
    operation: `list${name}Reports`,
    method: 'GET',
    paths: [path],
    summary: `Reports of kind ${kind}`,
    source,
    query: Type.Object({
      from: Type.Optional(Type.Integer({ minimum: 0 })),
      limit: Type.Optional(Type.Integer({ minimum: 0 })),
      dir: Type.Optional(Type.Union([Type.Literal('b'), Type.Literal('f')])),
      user_id: Type.Optional(Type.String()),
      room_id: Type.Optional(Type.String()),
      event_sender_user_id: Type.Optional(Type.String()),
      target_user_id: Type.Optional(Type.String()),
    }),
    errors: ['M_FORBIDDEN', 'M_INVALID_PARAM'],
    async handle({ query }, { store }) {
      const offset = query.from ?? 0;
      const limit = Math.min(query.limit ?? limitDefault, limitMax);
      const target = kind === 'user' ? query.target_user_id : query.event_sender_user_id;
      const filter = {
        kind,
        reporter: query.user_id ?? null,
        target: target ?? null,
        roomId: query.room_id ?? null,
      };
      const direction = query.dir ?? 'b';
      const { reports, total } = await store.page(filter, { direction, offset, limit });
      const end = offset + reports.length;
      return {
        [`${kind}_reports`]: reports.map((row) => reportOf(kind, row)),
        total,
        ...(end < total && reports.length > 0 ? { next_token: end } : {}),
      };
    },
  });
  const get = declare({
    ...shared,
    operation: `get${name}Report`,
    method: 'GET',
    paths: [`${path}/:reportId`],
    summary: `One report of kind ${kind}`,
    source,
    errors: ['M_FORBIDDEN', 'M_INVALID_PARAM', 'M_NOT_FOUND'],
    async handle({ params }, { store }) {
      const row = await store.one(kind, idOf(params['reportId']));
      if (!row) throw notFound(kind);
      const { envelope, contentAt, content } = row;
      const isKnown = typeof envelope === 'string';
      const event = isKnown
        ? (JSON.parse(joinPdu(envelope, contentAt!, content!)) as object)
        : null;
      return { ...reportOf(kind, row), ...(event ? { event_json: event } : {}) };
    },
  });
  const remove = declare({
    ...shared,
    operation: `delete${name}Report`,
    method: 'DELETE',
    paths: [`${path}/:reportId`],
    bodyMode: 'none',
    summary: `Removes a report of kind ${kind}`,
    source,
    errors: ['M_FORBIDDEN', 'M_INVALID_PARAM', 'M_NOT_FOUND'],
    async handle({ params }, { store }) {
      if (!(await store.delete(kind, idOf(params['reportId'])))) throw notFound(kind);
      return {};
    },
  });
  return [list, get, remove];
}

export const reportAdminEndpoints = (['event', 'room', 'user'] as const).flatMap(endpointsFor);
