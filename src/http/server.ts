import type { IncomingMessage, ServerResponse } from 'node:http';
import { Dispatcher, type DispatcherNeeds } from './dispatcher.ts';
import type { Endpoint } from './endpoint.ts';
import { Stopping } from './stopping.ts';
import { createListeners, type ListenerOptions } from './open-listeners.ts';

export type { ListenerOptions } from './open-listeners.ts';

export interface HttpServer {
  /** Opens all listeners; gives their URLs. When one cannot be opened, none stays open. */
  listen(): Promise<string[]>;
  /** Stops accepting, ends long polls, waits for requests at most this long. */
  close(graceMs: number): Promise<void>;
}

/** Listeners whose requests are answered by endpoints. */
export function createHttpServer(
  listeners: readonly ListenerOptions[],
  endpoints: readonly Endpoint[],
  needs: Omit<DispatcherNeeds, 'stopping'>,
): HttpServer {
  const stopping = new Stopping();
  const answer = (listener: ListenerOptions) => {
    const dispatcher = new Dispatcher(
      endpoints,
      { ...needs, stopping },
      { resources: new Set(listener.resources), isForwarded: listener.isForwarded },
    );
    return (req: IncomingMessage, res: ServerResponse) => {
      dispatcher.dispatch(req, res).catch((error: unknown) => {
        needs.log.error({ err: error }, 'bug: a request could not be answered');
        res.destroy();
      });
    };
  };
  const { listen, close } = createListeners(listeners, answer, needs.log);
  return {
    listen,
    close(graceMs) {
      stopping.stop();
      return close(graceMs);
    },
  };
}
