/** A request with JSON to another server and what came back. */
export interface JsonRequest {
  method: 'GET' | 'POST';
  url: string;
  headers?: Record<string, string>;
  body?: unknown;
}

export interface JsonAnswer {
  status: number;
  /** Null when it is not a JSON object. */
  body: Record<string, unknown> | null;
}

/** Rejects when the server cannot be reached or takes too long. */
export type SendJson = (request: JsonRequest) => Promise<JsonAnswer>;

const answerMsMax = 10_000;
const answerBytesMax = 256 * 1024;

async function readBounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > answerBytesMax) throw new Error(`answer of more than ${answerBytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

export function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** To servers that the admin has configured: they may be anywhere, also inside. */
export const sendToConfigured: SendJson = async ({ method, url, headers, body }) => {
  const response = await fetch(url, {
    method,
    headers: { ...headers, ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
    redirect: 'error',
    signal: AbortSignal.timeout(answerMsMax),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: parseObject(await readBounded(response)) };
};
