import { jsonAnswer } from '../http/json-client.ts';
import { OutboundError } from '../outbound/errors.ts';
import type { OutboundAnswer, OutboundHttp } from '../outbound/outbound-http.ts';
import { SsoError } from './sso-error.ts';

/** Requests to a provider. Answers have bounds in size and time. All reject with SsoError. */
export interface ProviderHttp {
  /** A JSON object; redirects are followed. */
  getJson(url: string): Promise<Readonly<Record<string, unknown>>>;
  get(url: string, headers: Readonly<Record<string, string>>): Promise<OutboundAnswer>;
  /** No redirects: the form has secrets. */
  postForm(
    url: string,
    form: URLSearchParams,
    headers: Readonly<Record<string, string>>,
  ): Promise<OutboundAnswer>;
}

const answerBytesMax = 256 * 1024;
const redirectsMax = 3;
const accept = { Accept: 'application/json' };
const isSuccess = (status: number) => status >= 200 && status < 300;

const failed = (what: string, cause?: unknown) =>
  new SsoError('server_error', `The identity provider ${what}`, 502, cause);

export function createProviderHttp(outbound: OutboundHttp): ProviderHttp {
  async function fetched(...[url, request]: Parameters<OutboundHttp['fetch']>) {
    try {
      return await outbound.fetch(url, { bytesMax: answerBytesMax, ...request });
    } catch (error) {
      if (error instanceof OutboundError) throw failed('cannot be reached', error);
      throw error;
    }
  }
  return {
    async getJson(url) {
      const { status, body } = await fetched(url, { headers: accept, redirectsMax });
      const answer = jsonAnswer(status, body.toString('utf8'));
      if (!isSuccess(status) || !answer.body) throw failed(`gives no answer (${status})`);
      return answer.body;
    },
    async get(url, headers) {
      const answer = await fetched(url, { headers: { ...accept, ...headers } });
      if (!isSuccess(answer.status)) throw failed(`gives no answer (${answer.status})`);
      return answer;
    },
    postForm: (url, form, headers) =>
      fetched(url, {
        method: 'POST',
        headers: { ...accept, 'Content-Type': 'application/x-www-form-urlencoded', ...headers },
        body: form.toString(),
      }),
  };
}
