import type { Caller } from '../http/endpoint.ts';
import type { UserView } from './views/user-view.ts';

/** What long polls wait for. */
interface Awaited {
  readonly waiters: Set<() => void>;
}

/**
 * Waits until something concerns the user, or the device, or whatever else: true. False when the time
 * (milliseconds since 1970) has come or the client has gone.
 */
export function waitForNews(
  { user, device }: { user: UserView; device: Awaited | null },
  untilMs: number,
  caller: Caller,
): Promise<boolean> {
  const remaining = untilMs - Date.now();
  if (remaining <= 0 || caller.isGone) return Promise.resolve(false);
  return new Promise<boolean>((resolve) => {
    const done = (isNews: boolean) => {
      clearTimeout(timer);
      user.waiters.delete(onNews);
      device?.waiters.delete(onNews);
      caller.offGone();
      resolve(isNews);
    };
    const onNews = () => done(true);
    const timer = setTimeout(() => done(false), remaining);
    user.waiters.add(onNews);
    device?.waiters.add(onNews);
    caller.onGone(() => done(false));
  });
}
