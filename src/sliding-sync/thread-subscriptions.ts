import { MatrixError } from '../kernel/errors.ts';
import type { ExtensionContext, ExtensionNeeds, ExtensionPart } from './extensions.ts';
import { parsePos } from './connections.ts';

export const threadSubscriptionsName = 'io.element.msc4308.thread_subscriptions';

const limitDefault = 100;

/** Changes of the user's subscriptions to threads (MSC4308). */
export async function threadSubscriptions(
  { request, user, since, upto }: ExtensionContext,
  { sources }: ExtensionNeeds,
): Promise<ExtensionPart> {
  const wish = request.extensions[threadSubscriptionsName];
  const source = sources.threadSubscriptions;
  if (!wish?.enabled || !source) return null;
  const isQuiet = since !== null && since.durable >= user.since && user.ownPos <= since.durable;
  if (isQuiet) return null;
  const { shown, count, before } = await source.changes(user.userNid, {
    afterPos: since?.durable ?? 0,
    uptoPos: upto.durable,
    limit: wish.limit ?? limitDefault,
  });
  if (count === 0) return null;
  const part = { ...shown, ...(before === null ? {} : { prev_batch: before }) };
  return {
    json: `${JSON.stringify(threadSubscriptionsName)}:${JSON.stringify(part)}`,
    isNews: true,
  };
}

/** The durable position in a `pos`; null: it is none. */
export function durablePosOf(text: string): number | null {
  try {
    return parsePos(text).since.durable;
  } catch (error) {
    if (error instanceof MatrixError) return null;
    throw error;
  }
}
