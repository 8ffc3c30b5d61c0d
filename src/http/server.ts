import { Dispatcher, type DispatcherNeeds } from './dispatcher.ts';
import type { Endpoint } from './endpoint.ts';
import type { HttpRequest, HttpResponse } from './exchange.ts';
import { Stopping } from './stopping.ts';
import { createListeners, type ListenerOptions } from './open-listeners.ts';

export type { ListenerOptions } from './open-listeners.ts';

/** What a listener takes requests for, and whether a proxy stands before it. */
type Served = Pick<ListenerOptions, 'resources' | 'isForwarded'>;

export interface HttpServer {
  /** Opens all listeners; gives their URLs. When one cannot be opened, none stays open. */
  listen(): Promise<string[]>;
  /** Answers requests that come another way as those of such a listener. */
  answerAs(listener: Served): Answer;
  /** Stops accepting, ends long polls, waits for requests at most this long. */
  close(graceMs: number): Promise<void>;
}

/** Answers a request; does not throw. */
export type Answer = (req: HttpRequest, res: HttpResponse) => void;

/** Listeners whose requests are answered by endpoints. */
export function createHttpServer(
  listeners: readonly ListenerOptions[],
  endpoints: readonly Endpoint[],
  needs: Omit<DispatcherNeeds, 'stopping'>,
): HttpServer {
  const stopping = new Stopping();
  /** One for all that are served alike: it has every route, and the validators of those in use. */
  const dispatchers = new Map<string, Dispatcher>();
  function dispatcherFor({ resources, isForwarded }: Served): Dispatcher {
    const key = `${resources.toSorted().join(' ')} ${isForwarded}`;
    const known = dispatchers.get(key);
    if (known) return known;
    const listener = { resources: new Set(resources), isForwarded };
    const dispatcher = new Dispatcher(endpoints, { ...needs, stopping }, listener);
    dispatchers.set(key, dispatcher);
    return dispatcher;
  }
  const answerAs: HttpServer['answerAs'] = (served) => {
    let dispatcher: Dispatcher | null = null;
    return (req, res) => {
      // A server alone is never asked another way.
      dispatcher ??= dispatcherFor(served);
      dispatcher.dispatch(req, res).catch((error: unknown) => {
        needs.log.error({ err: error }, 'bug: a request could not be answered');
        res.destroy();
      });
    };
  };
  const answerAt = (listener: ListenerOptions) => {
    // So that the first request does not wait for it.
    dispatcherFor(listener);
    return answerAs(listener);
  };
  const { listen, close } = createListeners(listeners, answerAt, needs.log);
  return {
    listen,
    answerAs,
    close(graceMs) {
      stopping.stop();
      return close(graceMs);
    },
  };
}
