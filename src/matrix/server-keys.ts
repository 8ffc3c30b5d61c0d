import { isJsonObject, type JsonObject } from './pdu.ts';
import { verifySignedJson } from './signing.ts';

/** A key that a server signs with, or has signed with. */
export interface ServerKey {
  /** Unpadded base64. */
  publicKey: string;
  /** Milliseconds since 1970: not good for later events, from room version 5 on. */
  validUntilTs: number;
}

/** Keys that a server has published, as far as they are used. */
export interface PublishedKeys {
  /** By id, `ed25519:…`; keys no longer used among them. */
  keys: Map<string, ServerKey>;
  validUntilTs: number;
}

/** Longer validity than this is not believed (server-server spec, "Publishing Keys"). */
const validityMsMax = 7 * 24 * 60 * 60 * 1000;
/** Keys of one server that are looked at. */
const keysMax = 100;

/** The ed25519 keys of a mapping; `validUntilTs` says until when each is valid, if at all. */
function* keysIn(
  mapping: unknown,
  validUntilTs: (entry: JsonObject) => unknown,
): Generator<[string, ServerKey]> {
  if (!isJsonObject(mapping)) return;
  for (const [id, entry] of Object.entries(mapping).slice(0, keysMax)) {
    if (!id.startsWith('ed25519:') || !isJsonObject(entry)) continue;
    const { key } = entry;
    const untilTs = validUntilTs(entry);
    if (typeof key !== 'string' || !Number.isSafeInteger(untilTs)) continue;
    yield [id, { publicKey: key, validUntilTs: untilTs as number }];
  }
}

/**
 * The keys in an answer of `/_matrix/key/v2/server`, or in one that a notary passes on. Gives what is
 * wrong, as text, with one that is not to be believed: it has to be signed with one of its own keys.
 */
export function readPublishedKeys(
  answer: JsonObject,
  serverName: string,
  nowTs: number,
): PublishedKeys | string {
  if (answer['server_name'] !== serverName) return 'the keys are of another server';
  const { valid_until_ts: untilTs } = answer;
  if (!Number.isSafeInteger(untilTs)) return 'it does not say until when its keys are valid';
  const validUntilTs = Math.min(untilTs as number, nowTs + validityMsMax);
  const inUse = [...keysIn(answer['verify_keys'], () => validUntilTs)];
  const isSigned = inUse.some(([id, { publicKey }]) =>
    verifySignedJson(answer, serverName, { id, publicKey }),
  );
  if (!isSigned) return 'the keys are not signed with one of them';
  const old = keysIn(answer['old_verify_keys'], ({ expired_ts: expiredTs }) => expiredTs);
  return { keys: new Map([...old, ...inUse]), validUntilTs };
}
