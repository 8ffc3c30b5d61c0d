import type { Queryable } from '../database/database.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import { reportAdminEndpoints } from './endpoints/admin.ts';
import type { ReportNeeds } from './endpoints/needs.ts';
import { reportEndpoints } from './endpoints/report.ts';
import { createReportStore } from './store/reports.ts';

export interface ReportModuleNeeds extends Omit<ReportNeeds, 'store'> {
  database: Queryable;
}

/** What users report to the admins. */
export function createReports(needs: ReportModuleNeeds): { endpoints: Endpoint[] } {
  const { database, ...others } = needs;
  const store = createReportStore(database);
  return {
    endpoints: [
      ...bindEndpoints(reportEndpoints, { ...others, store }),
      ...bindEndpoints(reportAdminEndpoints, { store }),
    ],
  };
}
