import { boundedCache } from '../kernel/bounded-cache.ts';

/** Processes whose messages are counted; beyond any cluster. */
const sendersMax = 10_000;

/** Notices when messages of a sender are missing. */
export interface Senders {
  note(sender: string, number: number): void;
}

/** Senders count their messages from 1; `onMissing` is called when one does not follow the last. */
export function createSenders(onMissing: () => void): Senders {
  const last = boundedCache<string, number>(sendersMax);
  return {
    note(sender, number) {
      const before = last.get(sender);
      last.set(sender, number);
      if (before !== undefined && number !== before + 1) onMissing();
    },
  };
}
