import { LRUCache } from 'lru-cache';
import { boundedCache } from '../kernel/bounded-cache.ts';
import type { Bus } from '../streams/bus.ts';
import type { KeyRow, KeyStore, UserSignature } from './store/keys-of-users.ts';
import { deviceListStream, userSignatureStream } from './streams.ts';
import { userKeysOf, type UserKeys } from './user-keys.ts';

export interface UserRef {
  userNid: number;
  userId: string;
}

/**
 * The keys of users, of those of other servers what is stored; the latest asked for in memory. A client that was told of a
 * change by one process may ask another that has not heard of it yet: among several processes what
 * is in memory is held against the positions in the database.
 */
export interface KeyDirectory {
  /** By user number; one query for all who are not in memory. */
  of(users: readonly UserRef[]): Promise<Map<number, UserKeys>>;
  /** The keys of users of other servers have been stored anew. */
  forget(userNids: readonly number[]): void;
  /** The user's signatures on others' keys, by the number of the other. */
  signaturesBy(userNid: number): Promise<ReadonlyMap<number, readonly UserSignature[]>>;
}

/** Size of the keys kept in memory, in UTF-16 units; about 3,000 a device. */
const charactersMax = 32 * 1024 * 1024;
/** Users whose signatures on others' keys are kept in memory. */
const signersMax = 10_000;

interface SignaturesBy {
  byTarget: ReadonlyMap<number, readonly UserSignature[]>;
  /** Of the newest; 0: there is none. */
  pos: number;
}

function signaturesOf(signatures: readonly UserSignature[]): SignaturesBy {
  const byTarget = new Map<number, UserSignature[]>();
  let pos = 0;
  for (const signature of signatures) {
    pos = Math.max(pos, signature.pos);
    const list = byTarget.get(signature.targetNid);
    if (list) list.push(signature);
    else byTarget.set(signature.targetNid, [signature]);
  }
  return { byTarget, pos };
}

export function createKeyDirectory(store: KeyStore, bus: Bus): KeyDirectory {
  const isAlone = bus.tag === '';
  const cache = new LRUCache<number, UserKeys>({
    maxSize: charactersMax,
    sizeCalculation: ({ size }) => size,
  });
  const signers = boundedCache<number, SignaturesBy>(signersMax);
  /** Changes with every change: what was read before may be outdated. */
  let generation = 0;

  bus.subscribe(deviceListStream, (rows) => {
    generation++;
    for (const { row } of rows) cache.delete(row.userNid);
  });
  bus.subscribe(userSignatureStream, (rows) => {
    generation++;
    for (const { row } of rows) signers.delete(row.userNid);
  });

  async function load(users: readonly UserRef[], found: Map<number, UserKeys>): Promise<void> {
    const before = generation;
    const byUser = new Map<number, KeyRow[]>(users.map(({ userNid }) => [userNid, []]));
    for (const row of await store.ofUsers([...byUser.keys()])) byUser.get(row.userNid)!.push(row);
    for (const { userNid, userId } of users) {
      const keys = userKeysOf(userId, byUser.get(userNid)!);
      found.set(userNid, keys);
      if (before === generation) cache.set(userNid, keys);
    }
  }

  /** Forgets those of the users who have changed. */
  async function compare(users: readonly UserRef[]): Promise<void> {
    const known = users.map(({ userNid }) => userNid).filter((nid) => cache.has(nid));
    if (known.length === 0) return;
    const rows = await store.positions(known);
    const positions = new Map(rows.map(({ userNid, pos }) => [userNid, pos]));
    for (const nid of known) {
      if (cache.peek(nid)?.pos !== (positions.get(nid) ?? 0)) cache.delete(nid);
    }
  }

  return {
    async of(users) {
      if (!isAlone) await compare(users);
      const found = new Map<number, UserKeys>();
      const missing: UserRef[] = [];
      for (const user of users) {
        const known = cache.get(user.userNid);
        if (known) found.set(user.userNid, known);
        else missing.push(user);
      }
      if (missing.length > 0) await load(missing, found);
      return found;
    },
    forget(userNids) {
      generation++;
      for (const userNid of userNids) cache.delete(userNid);
    },
    async signaturesBy(userNid) {
      const known = signers.get(userNid);
      const isFresh =
        known !== undefined && (isAlone || known.pos === (await store.signingPosition(userNid)));
      if (isFresh) return known.byTarget;
      const before = generation;
      const signatures = signaturesOf(await store.signaturesBy(userNid));
      if (before === generation) signers.set(userNid, signatures);
      return signatures.byTarget;
    },
  };
}
