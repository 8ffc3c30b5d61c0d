import type { AppserviceRegistrations } from '../appservices/registrations.ts';
import { shardOf } from '../cluster/role.ts';
import type { Fence } from '../database/fence.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { Dispatch } from './dispatch.ts';
import type { Feed } from './feed.ts';
import { HeldService } from './held-service.ts';
import type { Interests } from './interests.ts';
import { appserviceRole } from './role.ts';
import type { ProgressStore } from './store/progress.ts';

export interface HolderNeeds {
  registrations: Pick<AppserviceRegistrations, 'all' | 'byId' | 'onReplaced'>;
  store: ProgressStore;
  feed: Pick<Feed, 'position' | 'forget'>;
  interests: Pick<Interests, 'forgetAll'>;
  dispatch: Dispatch;
  clock: Clock;
  log: Log;
}

/** What a process does for the shards of the role that it holds. */
export interface Holder {
  taken(shards: readonly number[], fences: readonly Fence[]): void;
  released(shards: readonly number[]): Promise<void>;
  services(): Iterable<HeldService>;
  find(id: string): HeldService | undefined;
  /** Writes everything down. */
  stop(): Promise<void>;
}

/** How often progress is written down, beside what each transaction writes. */
const saveMs = 5_000;
/** A position to which nothing was sent is written when it is so much further. */
const positionStep = 5_000;
/** Pause after the database did not answer. */
const retryMs = 1_000;

export function createHolder(needs: HolderNeeds): Holder {
  const { registrations, store, feed, interests, dispatch, clock, log } = needs;
  const shards = new Map<number, Fence | null>();
  const held = new Map<string, HeldService>();
  let running: Promise<void> | null = null;
  let saving: Promise<void> | null = null;
  let isStopped = false;

  function drop(one: HeldService): void {
    one.isGone = true;
    if (held.get(one.id) === one) held.delete(one.id);
  }

  /** Services that are to be sent to from here, and are not yet. */
  const missing = () =>
    registrations.all
      .filter(({ id, url }) => url !== null && !held.has(id))
      .filter(({ id }) => shards.has(shardOf(appserviceRole, id)))
      .map(({ id }) => id);

  async function takeIn(ids: string[]): Promise<void> {
    for (const progress of await store.take(ids, feed.position(), clock.now())) {
      const { id } = progress;
      const shard = shardOf(appserviceRole, id);
      const fence = shards.get(shard);
      // Given away again, or registered no more, while this was read.
      if (fence === undefined || !registrations.byId(id) || held.has(id)) continue;
      held.set(id, new HeldService(progress, shard, fence));
    }
    interests.forgetAll();
    for (const id of ids) {
      const one = held.get(id);
      if (one) dispatch.wake(one);
    }
  }

  function go(): void {
    if (running || isStopped) return;
    const ids = missing();
    if (ids.length === 0) return;
    running = takeIn(ids)
      .catch(async (error: unknown) => {
        log.warn({ err: error }, 'what services have could not be read; trying again');
        await new Promise((resolve) => setTimeout(resolve, retryMs));
      })
      .finally(() => {
        running = null;
        go();
      });
  }

  async function write(services: readonly HeldService[], step: number): Promise<void> {
    const changed = services.filter(
      ({ pos, savedPos, isUnsaved }) => isUnsaved || pos - savedPos >= step,
    );
    const progress = changed.map((one) => one.progress());
    const fences = changed.flatMap(({ fence }) => fence ?? []);
    for (const one of changed) one.isUnsaved = false;
    try {
      await store.save(progress, fences);
    } catch (error) {
      for (const one of changed) one.isUnsaved = true;
      log.warn({ err: error }, 'what services have could not be written down');
      return;
    }
    changed.forEach((one, i) => {
      one.savedPos = progress[i]!.pos;
    });
  }

  const timer = setInterval(() => {
    const services = [...held.values()];
    if (services.length > 0) feed.forget(Math.min(...services.map(({ pos }) => pos)));
    saving ??= write(services, positionStep).finally(() => {
      saving = null;
    });
  }, saveMs).unref();

  /** Ends the work for services, in a bounded time. */
  async function end(services: readonly HeldService[]): Promise<void> {
    for (const one of services) one.isGone = true;
    await dispatch.settle(services);
    await write(services, 1);
    for (const one of services) drop(one);
  }

  registrations.onReplaced(() => {
    interests.forgetAll();
    const gone: HeldService[] = [];
    for (const one of held.values()) {
      one.waiting.drop();
      if (typeof registrations.byId(one.id)?.url !== 'string') gone.push(one);
      // It may be elsewhere now, and there at once.
      else dispatch.retry(one);
    }
    void end(gone).then(go);
  });

  return {
    taken(numbers, fences) {
      for (const number of numbers) {
        shards.set(number, fences.find(({ shard }) => shard === number) ?? null);
      }
      go();
    },
    async released(numbers) {
      for (const number of numbers) shards.delete(number);
      await end([...held.values()].filter(({ shard }) => numbers.includes(shard)));
      // Taken again meanwhile.
      go();
    },
    services: () => held.values(),
    find: (id) => held.get(id),
    async stop() {
      isStopped = true;
      clearInterval(timer);
      await running;
      await saving;
      await end([...held.values()]);
    },
  };
}
