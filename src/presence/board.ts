import type { Bus } from '../streams/bus.ts';
import { presenceStream, type Presence } from './streams.ts';

/** Users whose presence is kept; about 300 bytes each. Those longest offline go first. */
const usersMax = 100_000;
/** Changes that can be looked through backwards; behind them every user is looked at. */
const changesMax = 10_000;

interface Posted {
  pos: number;
  presence: Presence;
}

/** The newest presence of everybody, as the stream says. */
export interface Board {
  get(userNid: number): Presence | undefined;
  /** Everybody who is not offline. */
  present(): Iterable<Presence>;
  /** Ephemeral position of the last change. */
  lastPos(): number;
  /** Everybody whose presence has changed after an ephemeral position; -1: everybody known. */
  changedAfter(pos: number): Presence[];
}

export function createBoard(bus: Bus, limits = { usersMax, changesMax }): Board {
  /** In the order of the last change. */
  const users = new Map<number, Posted>();
  let changes: Posted[] = [];
  /** Every change after this position is in `changes`. */
  let changesStart = bus.ephemeralPosition();
  let lastPos = changesStart;

  function makeRoom(): void {
    // A tenth more than needed, so that this is rarely done.
    let surplus = users.size - limits.usersMax * 0.9;
    for (const [userNid, { presence }] of users) {
      if (surplus <= 0) return;
      if (presence.state !== 'offline') continue;
      users.delete(userNid);
      surplus--;
    }
  }

  bus.subscribe(presenceStream, (rows) => {
    for (const { pos, row } of rows) {
      const posted = { pos, presence: row };
      users.delete(row.userNid);
      users.set(row.userNid, posted);
      changes.push(posted);
      lastPos = pos;
    }
    if (changes.length > limits.changesMax) {
      const surplus = changes.length - Math.ceil(limits.changesMax / 2);
      changesStart = changes[surplus - 1]!.pos;
      changes = changes.slice(surplus);
    }
    if (users.size > limits.usersMax) makeRoom();
  });

  return {
    get: (userNid) => users.get(userNid)?.presence,
    *present() {
      for (const { presence } of users.values()) if (presence.state !== 'offline') yield presence;
    },
    lastPos: () => lastPos,
    changedAfter(pos) {
      if (pos >= lastPos) return [];
      const found: Presence[] = [];
      if (pos < changesStart) {
        for (const posted of users.values()) if (posted.pos > pos) found.push(posted.presence);
        return found;
      }
      for (let i = changes.length - 1; i >= 0 && changes[i]!.pos > pos; i--) {
        const posted = changes[i]!;
        if (users.get(posted.presence.userNid) === posted) found.push(posted.presence);
      }
      return found;
    },
  };
}
