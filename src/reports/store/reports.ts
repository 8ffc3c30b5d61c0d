import type { Queryable } from '../../database/database.ts';
import { readableJson } from '../../database/readable-json.ts';
import { statement } from '../../database/statement.ts';

export type ReportKind = 'event' | 'room' | 'user';

export interface NewReport {
  kind: ReportKind;
  reporterNid: number;
  roomNid: number | null;
  eventId: string | null;
  /** The sender of the event, or the user reported. */
  targetNid: number | null;
  reason: string | null;
  score: number | null;
  receivedTs: number;
}

const insertReport = statement<
  [
    kind: ReportKind,
    reporterNid: number,
    roomNid: number | null,
    eventId: string | null,
    targetNid: number | null,
    reason: string | null,
    score: number | null,
    receivedTs: number,
  ],
  never
>(
  'reports.insert',
  `insert into reports
     (kind, reporter_nid, room_nid, event_id, target_nid, reason, score, received_ts)
     values ($1, $2, $3, $4, $5, $6, $7, $8)`,
);

/** A report as admins see it. */
export interface ReportRow {
  id: number;
  receivedTs: number;
  reporter: string;
  target: string | null;
  roomId: string | null;
  eventId: string | null;
  reason: string | null;
  score: number | null;
  roomName: string | null;
  canonicalAlias: string | null;
}

const inState = (type: string, member: string) => `
  (select ${readableJson('e.content')} ->> '${member}' from room_state s
     join events e on e.room_nid = s.room_nid and e.event_nid = s.event_nid
   where s.room_nid = p.room_nid and s.state_key = '' and s.to_pos = 9223372036854775807
     and s.type_nid = (select type_nid from event_types where event_type = '${type}'))`;

const columns = `p.report_nid as id, p.received_ts as "receivedTs", u.user_id as reporter,
  t.user_id as target, r.room_id as "roomId", p.event_id as "eventId", p.reason, p.score,
  ${inState('m.room.name', 'name')} as "roomName",
  ${inState('m.room.canonical_alias', 'alias')} as "canonicalAlias"`;
const joins = `
  join users u on u.user_nid = p.reporter_nid
  left join users t on t.user_nid = p.target_nid
  left join rooms r on r.room_nid = p.room_nid`;
const wanted = `p.kind = $1 and ($2::text is null or u.user_id = $2)
  and ($3::text is null or t.user_id = $3) and ($4::text is null or r.room_id = $4)`;

type Filter = [
  kind: ReportKind,
  reporter: string | null,
  target: string | null,
  roomId: string | null,
];

const selectPage = (direction: 'b' | 'f') =>
  statement<[...Filter, offset: number, limit: number], ReportRow>(
    `reports.page_${direction}`,
    `select ${columns} from reports p ${joins} where ${wanted}
     order by p.report_nid ${direction === 'b' ? 'desc' : 'asc'} offset $5 limit $6`,
  );
const pages = { b: selectPage('b'), f: selectPage('f') };

const countReports = statement<Filter, { total: number }>(
  'reports.count',
  `select count(*)::int as total from reports p ${joins} where ${wanted}`,
);

/** The whole event that was reported: two parts of its JSON, see events. */
export interface ReportedEvent {
  content: string;
  envelope: string;
  contentAt: number;
}

const selectReport = statement<[kind: ReportKind, id: number], ReportRow & Partial<ReportedEvent>>(
  'reports.one',
  `select ${columns}, e.content, e.envelope, e.content_at as "contentAt"
   from reports p ${joins}
     left join events e on e.event_id = p.event_id and e.room_nid = p.room_nid
   where p.kind = $1 and p.report_nid = $2`,
);

const deleteReport = statement<[kind: ReportKind, id: number], { id: number }>(
  'reports.delete',
  'delete from reports where kind = $1 and report_nid = $2 returning report_nid as id',
);

export interface ReportFilter {
  kind: ReportKind;
  reporter: string | null;
  target: string | null;
  roomId: string | null;
}

export function createReportStore(database: Queryable) {
  return {
    async add(report: NewReport): Promise<void> {
      const { kind, reporterNid, roomNid, eventId, targetNid, reason, score } = report;
      await database.query(insertReport, [
        kind,
        reporterNid,
        roomNid,
        eventId,
        targetNid,
        reason,
        score,
        report.receivedTs,
      ]);
    },
    /** `b`: newest first. */
    async page(
      { kind, reporter, target, roomId }: ReportFilter,
      { direction, offset, limit }: { direction: 'b' | 'f'; offset: number; limit: number },
    ): Promise<{ reports: ReportRow[]; total: number }> {
      const filter: Filter = [kind, reporter, target, roomId];
      const [reports, [count]] = await Promise.all([
        database.query(pages[direction], [...filter, offset, limit]),
        database.query(countReports, filter),
      ]);
      return { reports, total: count!.total };
    },
    async one(kind: ReportKind, id: number) {
      return (await database.query(selectReport, [kind, id]))[0] ?? null;
    },
    /** False: there is none. */
    async delete(kind: ReportKind, id: number): Promise<boolean> {
      return (await database.query(deleteReport, [kind, id])).length > 0;
    },
  };
}

export type ReportStore = ReturnType<typeof createReportStore>;
