import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AwsV4Signer } from 'aws4fetch';

export interface S3Options {
  bucket: string;
  /** Without a slash at the end. */
  endpoint: string;
  region: string;
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string | null;
}

export interface S3Request {
  method: 'GET' | 'HEAD' | 'PUT' | 'DELETE';
  /** Within the bucket. */
  key: string;
  headers?: Record<string, string>;
  /** Opened for each attempt anew. */
  body?: { bytes: number; sha256: string; open(): Readable };
}

/** The object store did not do what it was asked. */
export class ObjectStoreError extends Error {
  /** It may do it when it is asked again. */
  readonly isPassing: boolean;
  constructor(message: string, { isPassing }: { isPassing: boolean }) {
    super(message);
    this.name = 'ObjectStoreError';
    this.isPassing = isPassing;
  }
}

/** SHA-256 of nothing. */
const emptySha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
/** A connection on which nothing happens for so long is given up. */
const silenceMsMax = 20_000;
/** Request Timeout and Too Many Requests. */
const passing = new Set([408, 429]);
const attemptsMax = 3;
const retryMs = 200;
const socketsMax = 32;
/** Of an error's text, in the log. */
const shownBytesMax = 500;

async function shownBody(answer: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of answer) {
    text += String(chunk);
    if (text.length > shownBytesMax) break;
  }
  return text.slice(0, shownBytesMax);
}

/**
 * Sends signed requests (AWS Signature Version 4) and repeats what failed by the network or by the
 * store. `acceptable`: statuses that are answers; others reject with ObjectStoreError.
 */
export function createS3Requests(options: S3Options) {
  const agentOptions = { keepAlive: true, maxSockets: socketsMax };
  const isSecure = options.endpoint.startsWith('https:');
  const agent = isSecure ? new HttpsAgent(agentOptions) : new HttpAgent(agentOptions);
  const send = isSecure ? httpsRequest : httpRequest;

  async function sign({ method, key, headers, body }: S3Request) {
    const signer = new AwsV4Signer({
      method,
      url: `${options.endpoint}/${options.bucket}/${key}`,
      headers: { ...headers, 'X-Amz-Content-Sha256': body?.sha256 ?? emptySha256 },
      accessKeyId: options.accessKeyId,
      secretAccessKey: options.secretAccessKey,
      ...(options.sessionToken === null ? {} : { sessionToken: options.sessionToken }),
      service: 's3',
      region: options.region,
    });
    return signer.sign();
  }

  async function attempt(request: S3Request): Promise<IncomingMessage> {
    const { url, headers } = await sign(request);
    const { method, body } = request;
    return new Promise((resolve, reject) => {
      const all = {
        ...Object.fromEntries(headers),
        ...(body === undefined ? {} : { 'Content-Length': body.bytes }),
      };
      const req = send(url, { method, headers: all, agent, timeout: silenceMsMax }, resolve);
      req.on('timeout', () => req.destroy(new Error('the object store is silent')));
      req.on('error', reject);
      if (body === undefined) req.end();
      else pipeline(body.open(), req).catch(reject);
    });
  }

  async function accepted(request: S3Request, acceptable: readonly number[]) {
    const answer = await attempt(request);
    const status = answer.statusCode ?? 0;
    if (acceptable.includes(status)) return answer;
    const said = `${request.method} ${request.key}: ${status} ${await shownBody(answer)}`;
    throw new ObjectStoreError(said, { isPassing: status >= 500 || passing.has(status) });
  }

  return async (request: S3Request, acceptable: readonly number[]): Promise<IncomingMessage> => {
    for (let attempts = 1; ; attempts++) {
      try {
        // oxlint-disable-next-line no-await-in-loop
        return await accepted(request, acceptable);
      } catch (error) {
        const isPassing = error instanceof ObjectStoreError ? error.isPassing : true;
        if (attempts >= attemptsMax || !isPassing) throw error;
      }
      // oxlint-disable-next-line no-await-in-loop
      await new Promise((resolve) => setTimeout(resolve, retryMs * attempts));
    }
  };
}
