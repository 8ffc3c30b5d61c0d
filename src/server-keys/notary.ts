import type { Clock } from '../kernel/clock.ts';
import { inGroups } from '../kernel/in-groups.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import { signJson, type SigningKey } from '../matrix/signing.ts';
import type { KeyRing } from './key-ring.ts';
import type { OwnKeys } from './own-keys.ts';
import type { KeptAnswer, ServerKeyStore } from './store/server-keys.ts';

export interface NotaryNeeds {
  serverName: string;
  own: OwnKeys;
  keyRing: KeyRing;
  store: ServerKeyStore;
  signingKey: SigningKey;
  clock: Clock;
}

/** What is wanted of a server: its keys, valid until then at least. Milliseconds since 1970. */
export type WantedKeys = ReadonlyMap<string, { minimumValidUntilTs: number; keyId: string }>;

/** Servers that are asked at once. */
const askedAtOnce = 10;

/** Passes on other servers' keys (server-server spec, "Querying Keys Through Another Server"). */
export interface Notary {
  /** Signed answers; servers that nothing is known of are left out. */
  query(wanted: WantedKeys): Promise<JsonObject[]>;
}

export function createNotary(needs: NotaryNeeds): Notary {
  const { serverName: ownName, own, keyRing, store, signingKey, clock } = needs;

  const isGood = (kept: KeptAnswer | undefined, minimumTs: number) =>
    kept !== undefined && kept.untilTs >= minimumTs;

  return {
    async query(wanted) {
      const others = [...wanted.keys()].filter((name) => name !== ownName);
      const kept = await store.answersOf(others);
      const now = clock.now();
      const missing = others.filter((name) => {
        const { minimumValidUntilTs } = wanted.get(name)!;
        // Nobody's keys are valid until whenever somebody wishes.
        return !isGood(kept.get(name), Math.max(now, minimumValidUntilTs));
      });
      await inGroups(missing, askedAtOnce, async (name) => {
        const fetched = await keyRing.refresh(name, wanted.get(name)!.keyId);
        if (fetched) kept.set(name, { answer: fetched.answer, untilTs: fetched.validUntilTs });
      });
      const answers = [...kept.values()].map(({ answer }) => JSON.parse(answer) as JsonObject);
      if (wanted.has(ownName)) answers.push(own.published());
      return answers.map((answer) => signJson(answer, ownName, signingKey));
    },
  };
}
