import { crc32 } from 'node:zlib';
import type { Fence } from '../database/fence.ts';

/**
 * Methods of a role, called with plain JSON data; `fence` is for the writes they lead to. A call whose
 * holder goes away is made again to the next one, so each must bear to be called twice.
 */
export type RoleMethods = Record<string, (args: never, fence: Fence | null) => unknown>;

/**
 * A kind of divided work. Its shards are given to processes that offer it; a shard has one holder
 * at a time.
 */
export interface Role<M extends RoleMethods = RoleMethods> {
  readonly name: string;
  readonly shards: number;
  /** Only for the type checker. */
  readonly methods?: M;
}

const declared = new Map<string, Role>();

/** Declares a role. Declared once, in the module that does the work. */
export function defineRole<M extends RoleMethods>(name: string, shards: number): Role<M> {
  if (declared.has(name)) throw new Error(`role ${name} is declared twice`);
  const role: Role<M> = { name, shards };
  declared.set(name, role);
  return role;
}

/** Every role declared by the modules that are loaded. */
export const declaredRoles = (): readonly Role[] => [...declared.values()];

/** The shard of a key: a room id, a user id, a destination … */
export const shardOf = (role: Pick<Role, 'shards'>, key: string): number =>
  crc32(key) % role.shards;

/** What a process does for the shards that it holds. */
export interface RoleService<M extends RoleMethods> {
  methods: M;
  /** The shards are this process's from now on; `fences`: for writes, where there are other processes. */
  taken?(shards: readonly number[], fences: readonly Fence[]): void;
  /** The shards will be another's: what is remembered of them is to be written or forgotten. */
  released?(shards: readonly number[]): Promise<void> | void;
}

/** Divided work as the domains see it. */
export interface Roles {
  /** Does the work of a role, where this process holds it. */
  serve<M extends RoleMethods>(role: Role<M>, service: RoleService<M>): void;
  /**
   * Calls a method of whoever holds the key's shard; a function call when that is this process.
   * Waits a while when nobody does. Throws what the method throws, or RoleUnavailable.
   */
  call<M extends RoleMethods, K extends keyof M & string>(
    role: Role<M>,
    key: string,
    method: K,
    args: Parameters<M[K]>[0],
  ): Promise<Awaited<ReturnType<M[K]>>>;
  /** Whether this process holds the key's shard now. */
  holds(role: Pick<Role, 'name' | 'shards'>, key: string): boolean;
}

/** Nobody who holds the shard could be reached in time; the call may or may not have had its effect. */
export class RoleUnavailable extends Error {
  constructor(role: string, reason: string) {
    super(`nobody answers for role ${role}: ${reason}`);
    this.name = 'RoleUnavailable';
  }
}

/** The form for a single process, which holds everything. */
export function createLocalRoles(): Roles {
  const services = new Map<string, RoleService<RoleMethods>>();
  return {
    serve(role, service) {
      services.set(role.name, service);
      service.taken?.(
        Array.from({ length: role.shards }, (_, shard) => shard),
        [],
      );
    },
    async call(role, _key, method, args) {
      const service = services.get(role.name);
      if (!service) throw new RoleUnavailable(role.name, 'no part of this process does it');
      return (await service.methods[method]!(args, null)) as never;
    },
    holds: () => true,
  };
}
