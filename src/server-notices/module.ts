import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { ServerNoticesConfig } from './config.ts';
import { sendServerNotice } from './endpoints/send-server-notice.ts';
import { guardInvites } from './guard.ts';
import { createNoticeSender, type NoticeSender, type NoticeSenderNeeds } from './sender.ts';

export type { ServerNoticesConfig } from './config.ts';
export type { Notice, NoticeSender } from './sender.ts';

export interface ServerNoticesNeeds extends Omit<NoticeSenderNeeds, 'config'> {
  /** Null: there are no notices. */
  config: ServerNoticesConfig | null;
}

export interface ServerNotices {
  endpoints: Endpoint[];
  /** Null: there are no notices. */
  sender: NoticeSender | null;
  /** The endpoints of rooms, with what holds for rooms of notices. */
  guard(endpoints: readonly Endpoint[]): Endpoint[];
}

/** Notices of the server to its users. */
export function createServerNotices({ config, ...needs }: ServerNoticesNeeds): ServerNotices {
  const sender = config && createNoticeSender({ ...needs, config });
  return {
    endpoints: bindEndpoints(sendServerNotice, { sender }),
    sender,
    guard: (endpoints) =>
      sender ? guardInvites(endpoints, sender, needs.rooms.access) : [...endpoints],
  };
}
