import assert from 'node:assert/strict';
import type { FederationRequest } from '../../federation-client/federation-client.ts';
import { signableText } from '../../matrix/event-format.ts';
import type { JsonObject, Pdu } from '../../matrix/pdu.ts';
import type { RoomVersion } from '../../matrix/room-versions.ts';
import { generateSigningKeyLine, parseSigningKey } from '../../matrix/signing.ts';
import type { PolicyServersNeeds } from './policy-servers.ts';

/** A question that waits for its answer. */
export interface Question {
  pdu: Pdu;
  sign(): void;
  fail(error: unknown): void;
}

/** What a policy server answers; `wait`: as the test says of the question. */
export type Answer = (pdu: Pdu) => JsonObject | Promise<JsonObject>;

/** A policy server in tests without a network. */
export class TestPolicyServer {
  readonly version: RoomVersion;
  readonly name: string;
  key = parseSigningKey(generateSigningKeyLine('policy_server'));
  readonly asked: { destination: string; request: FederationRequest; pdu: Pdu }[] = [];
  /** By default it signs everything. */
  answer: Answer = (pdu) => this.signature(pdu);
  readonly #questions: Question[] = [];
  #arrived: (() => void) | null = null;

  readonly federation: PolicyServersNeeds['federation'] = {
    request: async (destination, request) => {
      assert.equal(request.method, 'POST');
      assert.equal(request.uri, '/_matrix/policy/v1/sign');
      const pdu = request.content as unknown as Pdu;
      this.asked.push({ destination, request, pdu });
      return this.answer(pdu);
    },
  };

  constructor(version: RoomVersion, name = 'y') {
    this.version = version;
    this.name = name;
  }

  signature(pdu: Pdu, by = this.key): JsonObject {
    return { [this.name]: { [by.id]: by.sign(signableText(this.version, pdu)) } };
  }

  /** Content of `m.room.policy`. */
  content(via = this.name): JsonObject {
    return { via, public_keys: { ed25519: this.key.publicKey } };
  }

  /** The events that were asked about since the last call. */
  take(): Pdu[] {
    return this.asked.splice(0).map(({ pdu }) => pdu);
  }

  /** From now on questions wait for the test. */
  hold(): void {
    this.answer = (pdu) =>
      new Promise((resolve, reject) => {
        this.#questions.push({
          pdu,
          sign: () => resolve(this.signature(pdu)),
          fail: (error) => reject(error),
        });
        this.#arrived?.();
      });
  }

  /** Resolves when so many questions wait; takes them. */
  async questions(count: number): Promise<Question[]> {
    while (this.#questions.length < count) {
      // oxlint-disable-next-line no-await-in-loop
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
    return this.#questions.splice(0, count);
  }
}
