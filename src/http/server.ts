import { Dispatcher, type DispatcherNeeds } from './dispatcher.ts';
import type { Endpoint } from './endpoint.ts';
import type { HttpRequest, HttpResponse } from './exchange.ts';
import { Stopping } from './stopping.ts';
import { createListeners, type ListenerOptions } from './open-listeners.ts';

export type { ListenerOptions } from './open-listeners.ts';

export interface HttpServer {
  /** Opens all listeners; gives their URLs. When one cannot be opened, none stays open. */
  listen(): Promise<string[]>;
  /** Answers requests that come another way as those of such a listener. */
  answerAs(listener: Pick<ListenerOptions, 'resources' | 'isForwarded'>): Answer;
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
  const answerAs: HttpServer['answerAs'] = (listener) => {
    const dispatcher = new Dispatcher(
      endpoints,
      { ...needs, stopping },
      { resources: new Set(listener.resources), isForwarded: listener.isForwarded },
    );
    return (req, res) => {
      dispatcher.dispatch(req, res).catch((error: unknown) => {
        needs.log.error({ err: error }, 'bug: a request could not be answered');
        res.destroy();
      });
    };
  };
  const { listen, close } = createListeners(listeners, answerAs, needs.log);
  return {
    listen,
    answerAs,
    close(graceMs) {
      stopping.stop();
      return close(graceMs);
    },
  };
}
