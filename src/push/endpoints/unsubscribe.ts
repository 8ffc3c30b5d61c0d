import { Type } from 'typebox';
import { endpoint, Reply } from '../../http/endpoint.ts';
import type { Templates } from '../../templates/module.ts';
import type { Pushers } from '../pushers.ts';
import { unsubscribePath, type LinkedPusher, type UnsubscribeLinks } from '../unsubscribe-links.ts';

export interface UnsubscribeNeeds {
  links: UnsubscribeLinks;
  pushers: Pick<Pushers, 'remove'>;
  templates: Templates;
}

const declare = endpoint<UnsubscribeNeeds>();
const runsOn = { group: 'client', balance: 'none' } as const;
const source = 'Synapse, `unsubscribe`; RFC 8058';
const query = Type.Object({
  access_token: Type.String(),
  app_id: Type.String(),
  pushkey: Type.String(),
});

async function page(
  templates: Templates,
  linked: LinkedPusher | null,
  state: 'asked' | 'done',
): Promise<Reply> {
  const values = { state: linked ? state : 'invalid', address: linked?.pushkey ?? '' };
  const html = await templates.render('unsubscribe.html', values);
  return new Reply(linked ? 200 : 400, html, {
    'Content-Type': 'text/html; charset=utf-8',
    'Cache-Control': 'no-store',
    'Referrer-Policy': 'no-referrer',
    'Content-Security-Policy':
      "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
  });
}

/** Asks first: programs that look into mails follow links. */
const showUnsubscribe = declare({
  operation: 'showUnsubscribe',
  method: 'GET',
  paths: [unsubscribePath],
  auth: 'none',
  runsOn,
  summary: 'The page that a link in a mail leads to: whether there are to be no more',
  source,
  query,
  handle: ({ query: asked }, { links, templates }) => page(templates, links.read(asked), 'asked'),
});

const unsubscribe = declare({
  operation: 'unsubscribe',
  method: 'POST',
  paths: [unsubscribePath],
  auth: 'none',
  runsOn,
  summary: 'Ends mails about missed messages; also at one click in a mail program',
  source,
  query,
  bodyMode: 'none',
  async handle({ query: asked }, { links, pushers, templates }) {
    const linked = links.read(asked);
    if (linked) await pushers.remove(linked.userNid, linked.appId, linked.pushkey);
    return page(templates, linked, 'done');
  },
});

export const unsubscribeEndpoints = [showUnsubscribe, unsubscribe];
