import { argon2, randomBytes, timingSafeEqual, type Argon2Parameters } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import bcrypt from 'bcrypt';
import { MatrixError } from '../kernel/errors.ts';

/** OWASP's first choice for argon2id: 19 MiB, two passes, one lane. */
const memoryKib = 19_456;
const passes = 2;
const lanes = 1;
const saltBytes = 16;
const tagBytes = 32;

const derive = promisify(argon2) as (
  algorithm: 'argon2id',
  parameters: Argon2Parameters,
) => Promise<Buffer>;

interface Cost {
  memory: number;
  passes: number;
  parallelism: number;
}

const currentCost: Cost = { memory: memoryKib, passes, parallelism: lanes };

const base64 = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '');

/** Of the four threads that Node.js has for such work, one stays free for files and names. */
const runningMax = Math.min(3, availableParallelism());
/** Those who wait behind so many others would have given up before their turn. */
const waitingMax = 500;
const retryAfterMs = 5000;
let running = 0;
const waiting: (() => void)[] = [];

/** Does few at once, each of which takes a core and 19 MiB. Throws M_LIMIT_EXCEEDED. */
async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (running < runningMax) running++;
  else {
    if (waiting.length >= waitingMax) {
      throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many passwords are being checked', {
        extra: { retry_after_ms: retryAfterMs },
      });
    }
    await new Promise<void>((resolve) => waiting.push(resolve));
  }
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else running--;
  }
}

/** As Synapse has it: the pepper is not normalised. */
const peppered = (password: string, pepper: string) => password.normalize('NFKC') + pepper;

function derived(password: string, pepper: string, salt: Buffer, cost: Cost): Promise<Buffer> {
  const message = Buffer.from(peppered(password, pepper));
  return inTurn(() => derive('argon2id', { message, nonce: salt, tagLength: tagBytes, ...cost }));
}

/**
 * Hashes a password with argon2id (RFC 9106), on another thread. The result is a PHC string:
 * `$argon2id$v=19$m=…,t=…,p=…$salt$hash`. Throws M_LIMIT_EXCEEDED when too many wait.
 */
export async function hashPassword(password: string, pepper: string): Promise<string> {
  const salt = randomBytes(saltBytes);
  const tag = await derived(password, pepper, salt, currentCost);
  return `$argon2id$v=19$m=${memoryKib},t=${passes},p=${lanes}$${base64(salt)}$${base64(tag)}`;
}

const phc = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

async function verifyArgon2(password: string, pepper: string, match: RegExpExecArray) {
  const cost = {
    memory: Number(match[1]),
    passes: Number(match[2]),
    parallelism: Number(match[3]),
  };
  const expected = Buffer.from(match[5]!, 'base64');
  const tag = await derived(password, pepper, Buffer.from(match[4]!, 'base64'), cost);
  const ok = tag.length === expected.length && timingSafeEqual(tag, expected);
  return { ok, needsRehash: cost.memory < memoryKib || cost.passes < passes };
}

/**
 * Whether a password fits a hash: one made here, or one of bcrypt as Synapse makes them.
 * `needsRehash`: the hash is weaker than those made today. Throws M_LIMIT_EXCEEDED.
 */
export async function verifyPassword(
  password: string,
  pepper: string,
  hash: string,
): Promise<{ ok: boolean; needsRehash: boolean }> {
  const match = phc.exec(hash);
  if (match) return verifyArgon2(password, pepper, match);
  if (!/^\$2[aby]\$/.test(hash)) return { ok: false, needsRehash: false };
  const ok = await inTurn(() => bcrypt.compare(peppered(password, pepper), hash));
  return { ok, needsRehash: true };
}
