// Loading the domains declares their endpoints.
// oxlint-disable-next-line import/no-unassigned-import
import './domains.ts';
import { bindEndpoints, declaredEndpoints } from '../http/endpoint.ts';
import { endpointTable, type EndpointRow } from '../http/endpoint-table.ts';

/** Every path that the server answers, without a server. */
export function declaredRows(): EndpointRow[] {
  return endpointTable(bindEndpoints(declaredEndpoints(), undefined as never));
}
