import type { Clock } from '../kernel/clock.ts';
import { MatrixError } from '../kernel/errors.ts';
import { OutboundError } from '../outbound/errors.ts';
import type { OutboundHttp, OutboundStream } from '../outbound/outbound-http.ts';
import type { AppserviceRegistration } from './registrations.ts';

export interface PingNeeds {
  /** Reaches all addresses: where a service is, the admin has said. */
  outbound: Pick<OutboundHttp, 'open'>;
  clock: Clock;
}

/** Of a bad answer, for whoever looks for the fault; pages of proxies may be long. */
const shownBytesMax = 16 * 1024;
/** Less than proxies commonly wait, so that the service's keeper reads what was wrong. */
const timeoutMs = 30_000;

/** The beginning of the body; what comes after a broken connection is left out. */
async function beginningOf({ body }: OutboundStream): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= shownBytesMax) break;
    }
  } catch (error) {
    if (!(error instanceof OutboundError)) throw error;
  }
  return Buffer.concat(chunks).subarray(0, shownBytesMax).toString('utf8');
}

/**
 * Asks a service whether it is there; gives the milliseconds until it answered. Throws M_URL_NOT_SET,
 * M_BAD_STATUS, M_CONNECTION_FAILED, M_CONNECTION_TIMEOUT.
 * Source: application service API 1.19, "Pinging".
 */
export async function pingAppservice(
  { outbound, clock }: PingNeeds,
  { url, hsToken }: Pick<AppserviceRegistration, 'url' | 'hsToken'>,
  transactionId: string | undefined,
): Promise<number> {
  if (url === null || url === '') {
    throw new MatrixError('M_URL_NOT_SET', 'The application service does not have a URL set');
  }
  const begunTs = clock.now();
  const answer = await outbound
    .open(`${url}/_matrix/app/v1/ping`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${hsToken}`, 'Content-Type': 'application/json' },
      body: JSON.stringify(transactionId === undefined ? {} : { transaction_id: transactionId }),
      timeoutMs,
      bytesMax: Infinity,
    })
    .catch((error: unknown) => {
      if (!(error instanceof OutboundError)) throw error;
      const code = error.reason === 'timeout' ? 'M_CONNECTION_TIMEOUT' : 'M_CONNECTION_FAILED';
      throw new MatrixError(code, `The application service cannot be reached: ${error.message}`);
    });
  const durationMs = clock.now() - begunTs;
  const shown = await beginningOf(answer);
  if (answer.status < 200 || answer.status > 299) {
    throw new MatrixError('M_BAD_STATUS', `Ping returned status ${answer.status}`, {
      extra: { status: answer.status, body: shown },
    });
  }
  return durationMs;
}
