import { canonicalJson, canonicalJsonLenient, sortedKeys } from './canonical-json.ts';
import type { JsonObject, JsonValue, Pdu } from './pdu.ts';
import { redactContent } from './redaction.ts';
import type { RoomVersion } from './room-versions.ts';

/** Canonical JSON by the rules of the room version. */
export function canonicalFor(version: RoomVersion, value: JsonValue): string {
  return version.enforceCanonicalJson ? canonicalJson(value) : canonicalJsonLenient(value);
}

const keptAlways = [
  'event_id',
  'type',
  'room_id',
  'sender',
  'state_key',
  'content',
  'hashes',
  'signatures',
  'depth',
  'prev_events',
  'auth_events',
  'origin_server_ts',
] as const;
const keptBefore11 = ['prev_state', 'membership', 'origin'] as const;
const keptNow: ReadonlySet<string> = new Set(keptAlways);
const keptThen: ReadonlySet<string> = new Set([...keptAlways, ...keptBefore11]);

/** The members of an event that a redaction leaves. Source: "Redactions" of each room version. */
export const keptMembers = (version: RoomVersion): ReadonlySet<string> =>
  version.updatedRedaction ? keptNow : keptThen;

/** A PDU's canonical JSON in two parts, so that the content can be read without the rest. */
export interface SplitPdu {
  /** Canonical JSON text of the content. */
  content: string;
  /** Canonical JSON text of everything but the content. */
  envelope: string;
  /** Where in `envelope`, in UTF-16 units, `"content":…,` belongs. */
  contentAt: number;
}

const objectOf = (members: readonly string[]) => `{${members.join(',')}}`;

/**
 * The members of a PDU as canonical JSON, each written once: what is hashed, signed, measured and
 * stored is put together from them. `unsigned` is left out.
 */
export class PduText {
  readonly #version: RoomVersion;
  readonly #pdu: Pdu;
  readonly #names: readonly string[];
  /** `"name":value`, as `#names`. */
  readonly #members: readonly string[];

  /** Throws NotCanonical. */
  constructor(version: RoomVersion, pdu: Pdu) {
    this.#version = version;
    this.#pdu = pdu;
    const source = pdu as unknown as JsonObject;
    this.#names = sortedKeys(source).filter(
      (name) => name !== 'unsigned' && source[name] !== undefined,
    );
    this.#members = this.#names.map(
      (name) => `${canonicalFor(version, name)}:${canonicalFor(version, source[name]!)}`,
    );
  }

  /** Size of the whole as UTF-8. */
  bytes(): number {
    return Buffer.byteLength(objectOf(this.#members));
  }

  /** What the content hash is taken of (server-server spec, "Calculating the content hash"). */
  hashed(): string {
    return objectOf(
      this.#members.filter((_, i) => {
        const name = this.#names[i]!;
        return name !== 'hashes' && name !== 'signatures';
      }),
    );
  }

  /** What is signed and of which the reference hash is taken: the redacted event. */
  signable(): string {
    const { content, type } = this.#pdu;
    const version = this.#version;
    const kept = keptMembers(version);
    const redacted = redactContent(version, type, content);
    const parts: string[] = [];
    this.#names.forEach((name, i) => {
      if (name === 'signatures' || !kept.has(name)) return;
      const isCut = name === 'content' && redacted !== content;
      parts.push(isCut ? `"content":${canonicalFor(version, redacted)}` : this.#members[i]!);
    });
    return objectOf(parts);
  }

  /** The stored form. */
  split(): SplitPdu {
    const at = this.#names.indexOf('content');
    const content = this.#members[at]!.slice('"content":'.length);
    const before = this.#members.slice(0, at).join(',');
    const after = this.#members.slice(at + 1).join(',');
    const joining = before === '' ? '' : ',';
    return {
      content,
      envelope: `{${before}${joining}${after}}`,
      contentAt: 1 + before.length + joining.length,
    };
  }
}
