/** A leaky bucket: so many at once, so many a second in the long run. */
export interface RateLimit {
  perSecond: number;
  burst: number;
}
