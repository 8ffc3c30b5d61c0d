import { MatrixError } from '../kernel/errors.ts';
import type { SendJson } from '../http/json-client.ts';
import type { Validated } from './validation.ts';

export interface MsisdnWish {
  country: string;
  phone_number: string;
  client_secret: string;
  send_attempt: number;
  next_link?: string | undefined;
}

/**
 * Another server that validates phone numbers: an identity server that the admin has configured.
 * Source: identity service API r0.3, "Phone number associations".
 */
export interface MsisdnDelegate {
  requestToken(wish: MsisdnWish): Promise<{ sid: string; submit_url: string }>;
  submitToken(body: { sid: string; client_secret: string; token: string }): Promise<object>;
  /** Null: not validated. */
  validated(sid: string, clientSecret: string): Promise<Validated | null>;
}

export function createMsisdnDelegate(url: string, baseUrl: string, send: SendJson): MsisdnDelegate {
  async function ask(method: 'GET' | 'POST', path: string, body?: unknown) {
    const request = { method, url: `${url}/_matrix/identity/api/v1${path}`, body };
    try {
      return await send(request);
    } catch (error) {
      throw new MatrixError('M_UNKNOWN', 'The server of phone numbers cannot be reached', {
        status: 502,
        cause: error,
      });
    }
  }

  async function post(path: string, body: unknown): Promise<Record<string, unknown>> {
    const answer = await ask('POST', path, body);
    if (answer.status === 200 && answer.body) return answer.body;
    const { error } = answer.body ?? {};
    const message = typeof error === 'string' ? error : 'The phone number was refused';
    throw new MatrixError('M_UNKNOWN', message, { status: 400 });
  }

  return {
    async requestToken(wish) {
      const { sid } = await post('/validate/msisdn/requestToken', wish);
      if (typeof sid !== 'string' && typeof sid !== 'number') {
        throw new MatrixError('M_UNKNOWN', 'The server of phone numbers gave no session', {
          status: 502,
        });
      }
      return {
        sid: String(sid),
        submit_url: `${baseUrl}/_matrix/client/unstable/add_threepid/msisdn/submit_token`,
      };
    },
    submitToken: (body) => post('/validate/msisdn/submitToken', body),
    async validated(sid, clientSecret) {
      const query = new URLSearchParams({ sid, client_secret: clientSecret }).toString();
      const { status, body } = await ask('GET', `/3pid/getValidated3pid?${query}`);
      // Some answer 200 with an error inside.
      if (status !== 200 || body?.['medium'] !== 'msisdn') return null;
      const { address, validated_at: validatedTs } = body;
      if (typeof address !== 'string' || typeof validatedTs !== 'number') return null;
      return { sid, medium: 'msisdn', address, validatedTs };
    },
  };
}
