/** A request with JSON to another server and what came back. */
export interface JsonRequest {
  method: 'GET' | 'POST';
  url: string;
  headers?: Record<string, string>;
  body?: unknown;
}

export interface JsonAnswer {
  status: number;
  /** Any JSON; undefined when it is none. */
  json: unknown;
  /** The same when it is an object, else null. */
  body: Record<string, unknown> | null;
}

/** Rejects when the server cannot be reached or takes too long. */
export type SendJson = (request: JsonRequest) => Promise<JsonAnswer>;

const answerMsMax = 10_000;
const answerBytesMax = 1024 * 1024;

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

/** The answer for a body as it was received. */
export function jsonAnswer(status: number, text: string): JsonAnswer {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  const isObject = typeof json === 'object' && json !== null && !Array.isArray(json);
  return { status, json, body: isObject ? (json as Record<string, unknown>) : null };
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
  return jsonAnswer(response.status, await readBounded(response));
};
