import { Type } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { pingAppservice, type PingNeeds } from '../ping.ts';
import type { AppserviceRegistrations } from '../registrations.ts';

export interface PingEndpointNeeds extends PingNeeds {
  registrations: Pick<AppserviceRegistrations, 'byId'>;
  /** The service has answered. */
  answers(id: string): void;
}

export const ping = endpoint<PingEndpointNeeds>()({
  operation: 'pingAppservice',
  method: 'POST',
  paths: [
    '/_matrix/client/v1/appservice/:appserviceId/ping',
    '/_matrix/client/unstable/fi.mau.msc2659/appservice/:appserviceId/ping',
  ],
  auth: 'appservice',
  runsOn: { group: 'client', balance: 'none' },
  summary: 'Tries the connection to an application service',
  source: 'CS 1.19, pingAppservice',
  body: Type.Object({ transaction_id: Type.Optional(Type.String()) }),
  errors: [
    'M_FORBIDDEN',
    'M_URL_NOT_SET',
    'M_BAD_STATUS',
    'M_CONNECTION_FAILED',
    'M_CONNECTION_TIMEOUT',
  ],
  async handle({ params, body, requester }, needs) {
    const service = needs.registrations.byId(requester.appservice!.id);
    if (!service || service.id !== params['appserviceId']) {
      throw new MatrixError('M_FORBIDDEN', 'The token is of another application service');
    }
    const durationMs = await pingAppservice(needs, service, body.transaction_id);
    needs.answers(service.id);
    return { duration_ms: durationMs };
  },
});
