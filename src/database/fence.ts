import { statement } from './statement.ts';
import type { BatchItem } from './database.ts';

/** A lease under which something is written: of a shard of a role, by a process, in an epoch. */
export interface Fence {
  readonly holder: string;
  readonly role: string;
  readonly shard: number;
  readonly epoch: number;
  /** This process has given the lease back, or knows that it is another's: it writes nothing more. */
  isOver: boolean;
}

const checkLeases = statement<[string, string[], number[], number[]], never>(
  'check_leases',
  'select from check_leases($1, $2::text[], $3::integer[], $4::bigint[])',
);

const order = (a: Fence, b: Fence) =>
  a.role === b.role ? a.shard - b.shard : a.role < b.role ? -1 : 1;

/** The statement that lets a transaction pass only while all the leases are held. */
export function fenceItem(fences: Iterable<Fence>): BatchItem | null {
  const byShard = new Map<string, Fence>();
  for (const fence of fences) byShard.set(`${fence.role} ${fence.shard} ${fence.epoch}`, fence);
  if (byShard.size === 0) return null;
  const sorted = [...byShard.values()].sort(order);
  const params = [
    sorted[0]!.holder,
    sorted.map(({ role }) => role),
    sorted.map(({ shard }) => shard),
    sorted.map(({ epoch }) => epoch),
  ];
  return { statement: checkLeases as never, params };
}

/** As `check_leases` says it. */
const leaseLostCode = 'LT001';

/** The lease under which something was to be done has ended. */
export class LeaseLost extends Error {
  readonly code = leaseLostCode;

  constructor() {
    super('a lease was lost');
    this.name = 'LeaseLost';
  }
}

/** Whether a write was refused because its lease is another's by now. */
export const isLeaseLost = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === leaseLostCode;
