import type { RateLimitClass } from '../http/endpoint.ts';
import type { Actor } from './needs.ts';
import type { RoomServices } from './services.ts';

/**
 * Counts a use of something that is limited by more than by who does it. Some application services
 * are not limited. Throws M_LIMIT_EXCEEDED.
 */
export function takeLimit(
  { limits }: Pick<RoomServices, 'limits'>,
  { appservice, ownRateLimit }: Actor,
  limitClass: RateLimitClass,
  key: string,
): void {
  if (appservice?.rateLimited !== false) limits.take(limitClass, key, ownRateLimit);
}
