import type { Action } from './rule.ts';

/** What an event means for the unread counts of a user. */
export interface Verdict {
  readonly notify: boolean;
  readonly highlight: boolean;
}

/** One object for each verdict, so that verdicts can be compared by identity. */
export const silent: Verdict = { notify: false, highlight: false };
export const notifying: Verdict = { notify: true, highlight: false };
export const highlighting: Verdict = { notify: true, highlight: true };

/** Null: no rule matched. A highlight counts only with a notification. */
export function verdictOf(actions: readonly Action[] | null): Verdict {
  if (!actions?.includes('notify')) return silent;
  for (const action of actions) {
    if (typeof action !== 'string' && action.set_tweak === 'highlight') {
      return action.value === false ? notifying : highlighting;
    }
  }
  return notifying;
}
