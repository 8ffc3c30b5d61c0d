import {
  ClientEvent,
  createClient,
  SyncState,
  type MatrixClient,
  type MatrixEvent,
} from 'matrix-js-sdk';
import { uniqueName } from './client.ts';

const silent = () => undefined;
/** The SDK has much to say. */
export const quiet = {
  trace: silent,
  debug: silent,
  info: silent,
  warn: silent,
  error: silent,
  getChild: () => quiet,
};

/** A registered user of the server with matrix-js-sdk, syncing. */
export async function startSdkClient(url: string, prefix: string): Promise<MatrixClient> {
  const anonymous = createClient({ baseUrl: url, logger: quiet });
  const username = uniqueName(prefix);
  const made = await anonymous.registerRequest({
    username,
    password: `password of ${username}`,
    auth: { type: 'm.login.dummy' },
  });
  const client = createClient({
    baseUrl: url,
    userId: made.user_id,
    accessToken: made.access_token!,
    deviceId: made.device_id!,
    timelineSupport: true,
    logger: quiet,
  });
  const synced = until(client, () => client.getSyncState() === SyncState.Syncing);
  await client.startClient({ initialSyncLimit: 20, threadSupport: true });
  await synced;
  return client;
}

/** Resolves when the condition holds; it is looked at whenever the client has synced. */
export function until(client: MatrixClient, isDone: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (!isDone()) return;
      client.off(ClientEvent.Sync, look);
      client.off(ClientEvent.Event, look);
      resolve();
    };
    client.on(ClientEvent.Sync, look);
    client.on(ClientEvent.Event, look);
    look();
  });
}

/** Bodies of the messages in a room's live timeline. */
export function messagesIn(client: MatrixClient, roomId: string): string[] {
  const events: MatrixEvent[] = client.getRoom(roomId)?.getLiveTimeline().getEvents() ?? [];
  return events
    .filter((event) => event.getType() === 'm.room.message' && !event.isRedacted())
    .map((event) => event.getContent()['body'] as string);
}
