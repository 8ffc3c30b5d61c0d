import { jsonAnswer, type JsonAnswer } from '../http/json-client.ts';
import type { OutboundHttp } from '../outbound/outbound-http.ts';
import type { AppserviceRegistration } from './registrations.ts';

/** Where something is asked of a service. */
export interface AppserviceRequest {
  method: 'GET' | 'PUT';
  /** Below `/_matrix/app/v1`. */
  path: string;
  /** The whole path by which services knew it before; null: there was none. */
  legacyPath: string | null;
  query?: Readonly<Record<string, string>>;
  /** JSON text. */
  body?: string;
  timeoutMs: number;
}

/** Speaks to application services. Source: application service API 1.19, "Authorisation", "Legacy routes". */
export interface AppserviceClient {
  /**
   * The answer, whatever its status; where a service does not know a path the older one is tried.
   * Rejects with OutboundError when there is none, also for a service without a URL.
   */
  ask(service: AppserviceRegistration, request: AppserviceRequest): Promise<JsonAnswer>;
}

export interface AppserviceClientNeeds {
  /** Reaches all addresses: where a service is, the admin has said. */
  outbound: Pick<OutboundHttp, 'fetch'>;
  /** The token goes in the query as well. [use_appservice_legacy_authorization] */
  tokenInQuery: boolean;
}

const isGood = ({ status }: JsonAnswer) => status >= 200 && status <= 299;

export function createAppserviceClient(needs: AppserviceClientNeeds): AppserviceClient {
  const { outbound, tokenInQuery } = needs;
  /** URLs of services that know the paths of today. */
  const modern = new Set<string>();

  async function send(
    { url, hsToken }: AppserviceRegistration,
    path: string,
    { method, query, body, timeoutMs }: AppserviceRequest,
  ): Promise<JsonAnswer> {
    const fields = new URLSearchParams(query);
    if (tokenInQuery) fields.set('access_token', hsToken);
    const asked = fields.size === 0 ? path : `${path}?${fields.toString()}`;
    const answer = await outbound.fetch(`${url}${asked}`, {
      method,
      headers: {
        Authorization: `Bearer ${hsToken}`,
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body }),
      timeoutMs,
      isRepeatable: true,
    });
    return jsonAnswer(answer.status, answer.body.toString('utf8'));
  }

  return {
    async ask(service, request) {
      const url = service.url!;
      const answer = await send(service, `/_matrix/app/v1${request.path}`, request);
      if (isGood(answer)) modern.add(url);
      if (isGood(answer) || request.legacyPath === null || modern.has(url)) return answer;
      const older = await send(service, request.legacyPath, request);
      return isGood(older) ? older : answer;
    },
  };
}
