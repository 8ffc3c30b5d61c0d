import { createHmac, timingSafeEqual } from 'node:crypto';

/** The pusher that a link removes. */
export interface LinkedPusher {
  userNid: number;
  appId: string;
  pushkey: string;
}

/** Links in mails by which nobody but the mail's reader ends them. */
export interface UnsubscribeLinks {
  linkFor(pusher: LinkedPusher): string;
  /** The pusher of a link's query; null: the link is not from here. */
  read(query: { access_token: string; app_id: string; pushkey: string }): LinkedPusher | null;
}

export const unsubscribePath = '/_synapse/client/unsubscribe';

/** `baseUrl` without a slash at the end. The same secret makes the same links. */
export function createUnsubscribeLinks(secret: string, baseUrl: string): UnsubscribeLinks {
  const signatureOf = ({ userNid, appId, pushkey }: LinkedPusher) =>
    createHmac('sha256', secret)
      .update(JSON.stringify(['unsubscribe', userNid, appId, pushkey]))
      .digest('base64url');
  return {
    linkFor(pusher) {
      const query = new URLSearchParams({
        access_token: `${pusher.userNid}.${signatureOf(pusher)}`,
        app_id: pusher.appId,
        pushkey: pusher.pushkey,
      });
      return `${baseUrl}${unsubscribePath}?${query.toString()}`;
    },
    read({ access_token: token, app_id: appId, pushkey }) {
      const match = /^(\d{1,15})\.([\w-]{43})$/.exec(token);
      if (!match) return null;
      const pusher = { userNid: Number(match[1]), appId, pushkey };
      const given = Buffer.from(match[2]!);
      return timingSafeEqual(given, Buffer.from(signatureOf(pusher))) ? pusher : null;
    },
  };
}
