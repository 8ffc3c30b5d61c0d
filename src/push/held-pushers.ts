import type { JsonObject } from '../matrix/pdu.ts';
import type { JudgedUsers } from './judging.ts';
import type { PusherRow } from './store/pushers.ts';

/** A pusher that this process pushes for. */
export interface HeldPusher {
  row: PusherRow;
  data: JsonObject;
  /** Notifications up to here are done with; ahead of the row. */
  pos: number;
  failingSinceTs: number | null;
  backoffMs: number;
  /** Not before this time; milliseconds since 1970. */
  dueTs: number;
  /** There may be notifications. */
  isWaiting: boolean;
  /** The user has read something. */
  isBadgeDue: boolean;
  /** The notification that was already made to wait by `push.jitter_delay`. */
  jitteredPos: number;
  /** The unread count it was told last; null: not known. */
  badge: number | null;
  isRunning: boolean;
  /** It was deleted, or belongs to another process by now. */
  isGone: boolean;
}

/** The pushers of the held shards, and how far their users' events are judged. */
export class HeldPushers implements JudgedUsers {
  readonly shards = new Map<number, number>();
  readonly starts = new Map<number, number>();
  readonly #byNid = new Map<number, HeldPusher>();
  readonly #byUser = new Map<number, HeldPusher[]>();

  all(): Iterable<HeldPusher> {
    return this.#byNid.values();
  }

  ofUser(userNid: number): readonly HeldPusher[] {
    return this.#byUser.get(userNid) ?? [];
  }

  shardOf(userNid: number): number | undefined {
    return this.#byUser.get(userNid)?.[0]?.row.shard;
  }

  isEmpty(): boolean {
    return this.#byNid.size === 0;
  }

  judged(shards: readonly number[], pos: number): void {
    for (const shard of shards) {
      const before = this.shards.get(shard);
      if (before !== undefined) this.shards.set(shard, Math.max(before, pos));
    }
    for (const [userNid, startPos] of this.starts) {
      if (pos >= (this.shards.get(this.shardOf(userNid) ?? -1) ?? 0)) this.starts.delete(userNid);
      else if (pos > startPos) this.starts.set(userNid, pos);
    }
  }

  /** Takes in the pushers of a user as they are now. True: the user had none, or has none now. */
  renew(userNid: number, rows: readonly PusherRow[]): boolean {
    const before = this.ofUser(userNid);
    const known = new Map(before.map((one) => [one.row.pusherNid, one]));
    const now = rows.map((row) => {
      const held = known.get(row.pusherNid) ?? heldOf(row);
      known.delete(row.pusherNid);
      const isSame = held.row.data === row.data && held.row.createdTs === row.createdTs;
      held.row = row;
      held.data = JSON.parse(row.data) as JsonObject;
      if (!isSame) Object.assign(held, { dueTs: 0, backoffMs: 0, failingSinceTs: null });
      this.#byNid.set(row.pusherNid, held);
      return held;
    });
    for (const gone of known.values()) this.#drop(gone);
    if (now.length === 0) {
      this.#byUser.delete(userNid);
      this.starts.delete(userNid);
    } else this.#byUser.set(userNid, now);
    if (before.length === 0) {
      // One without has been judged with the shard, and the user with it.
      const starts = rows.flatMap(({ startPos }) => startPos ?? []);
      if (starts.length > 0 && starts.length === rows.length) {
        this.starts.set(userNid, Math.min(...starts));
      }
    }
    return (before.length === 0) !== (now.length === 0);
  }

  /** The shards are another process's. */
  release(shards: readonly number[]): void {
    const leaving = new Set(shards);
    for (const shard of shards) this.shards.delete(shard);
    for (const held of this.#byNid.values()) {
      if (leaving.has(held.row.shard)) this.renew(held.row.userNid, []);
    }
  }

  userNids(): number[] {
    return [...this.#byUser.keys()];
  }

  #drop(held: HeldPusher): void {
    held.isGone = true;
    this.#byNid.delete(held.row.pusherNid);
  }
}

const heldOf = (row: PusherRow): HeldPusher => ({
  row,
  data: {},
  pos: row.pos,
  failingSinceTs: row.failingSinceTs,
  backoffMs: 0,
  dueTs: 0,
  isWaiting: false,
  isBadgeDue: false,
  jitteredPos: 0,
  badge: null,
  isRunning: false,
  isGone: false,
});
