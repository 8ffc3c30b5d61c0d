import { Type } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';
import type { Clock } from '../../kernel/clock.ts';
import { MatrixError } from '../../kernel/errors.ts';
import type { DelayedEventSender } from '../sender.ts';
import type { DelayedEventStore, DelayedRow } from '../store/delayed-events.ts';

export interface DelayedEventServices {
  store: DelayedEventStore;
  sender: Pick<DelayedEventSender, 'send'>;
  clock: Clock;
  /** Tells whoever sends the events of a shard. */
  expect(shard: number, sendTs: number): void;
}

const declare = endpoint<DelayedEventServices>();
const runsOn = { group: 'client', balance: 'none' } as const;
const base = '/_matrix/client/unstable/org.matrix.msc4140/delayed_events';
const source = 'MSC4140';

const actions = {
  async cancel(delayId: string, { store, clock }: DelayedEventServices): Promise<boolean> {
    return store.cancel(delayId, clock.now());
  },
  async restart(delayId: string, { store, clock, expect }: DelayedEventServices) {
    const restarted = await store.restart(delayId, clock.now());
    if (restarted) expect(restarted.shard, restarted.sendTs);
    return restarted !== null;
  },
  async send(delayId: string, { store, sender }: DelayedEventServices): Promise<boolean> {
    const row = await store.take(delayId);
    if (row) await sender.send(row);
    return row !== null;
  },
};

type Action = keyof typeof actions;
const isAction = (text: string): text is Action => Object.hasOwn(actions, text);

async function act(action: Action, delayId: string, services: DelayedEventServices) {
  const isDone = await actions[action](delayId, services);
  if (!isDone) throw new MatrixError('M_NOT_FOUND', 'No delayed event with this id waits');
  return {};
}

const list = declare({
  operation: 'getDelayedEvents',
  method: 'GET',
  paths: [base],
  auth: 'user',
  runsOn: { group: 'client', balance: 'user' },
  summary: "The user's events that wait to be sent",
  source,
  async handle({ requester }, { store }) {
    const rows = await store.waiting(requester.userNid);
    return { delayed_events: rows.map(shown) };
  },
});

const shown = (row: DelayedRow) => ({
  delay_id: row.delayId,
  room_id: row.roomId,
  type: row.type,
  ...(row.stateKey === null ? {} : { state_key: row.stateKey }),
  delay: row.delayMs,
  running_since: row.startedTs,
  content: JSON.parse(row.content) as unknown,
});

// Whoever knows the id may act: a client may leave it to another program.
const update = declare({
  operation: 'updateDelayedEvent',
  method: 'POST',
  paths: [`${base}/:delayId`],
  auth: 'none',
  rateLimit: 'delayed_event',
  runsOn,
  summary: 'Cancels, restarts or sends a delayed event',
  source,
  body: Type.Object({ action: Type.String() }),
  errors: ['M_NOT_FOUND', 'M_INVALID_PARAM', 'M_MISSING_PARAM', 'M_USER_SUSPENDED'],
  handle({ params, body }, services) {
    const { action } = body;
    if (!isAction(action)) {
      const known = Object.keys(actions).join(', ');
      throw new MatrixError('M_INVALID_PARAM', `\`action\` is not one of ${known}`);
    }
    return act(action, params['delayId']!, services);
  },
});

const byPath = (Object.keys(actions) as Action[]).map((action) =>
  declare({
    operation: `${action}DelayedEvent`,
    method: 'POST',
    paths: [`${base}/:delayId/${action}`],
    auth: 'none',
    rateLimit: 'delayed_event',
    runsOn,
    summary: `Does \`${action}\` to a delayed event`,
    source,
    bodyMode: 'optional',
    errors: ['M_NOT_FOUND', 'M_USER_SUSPENDED'],
    handle: ({ params }, services) => act(action, params['delayId']!, services),
  }),
);

export const delayedEventEndpoints = [list, update, ...byPath];
