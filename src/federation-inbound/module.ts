import type { FederationClient } from '../federation-client/federation-client.ts';
import { bindEndpoints, type Endpoint } from '../http/endpoint.ts';
import type { Log } from '../kernel/log.ts';
import type { FindServerKey } from '../matrix/received-pdu.ts';
import type { RoomServices } from '../rooms/module.ts';
import { sendTransaction } from './endpoints/send.ts';
import { createInboundMetrics, type InboundMetricsNeeds } from './inbound-metrics.ts';
import { createMissingEvents } from './missing-events.ts';
import { createReceiving, type Receiving } from './receive-pdus.ts';
import { createTransactions, type EduHandler } from './transactions.ts';

export type { EduHandler } from './transactions.ts';

export interface InboundNeeds extends InboundMetricsNeeds {
  serverName: string;
  federation: Pick<FederationClient, 'request'>;
  findKey: FindServerKey;
  rooms: () => RoomServices;
  /** By type; asked for when they are needed. */
  edus: () => ReadonlyMap<string, EduHandler>;
  log: Log;
}

/** What other servers send. */
export function createFederationInbound(needs: InboundNeeds): {
  endpoints: Endpoint[];
  receive: Receiving['receive'];
} {
  const missing = createMissingEvents(needs);
  const metrics = createInboundMetrics(needs);
  const { receive, receivePdus } = createReceiving({ ...needs, missing, metrics });
  const transactions = createTransactions({ ...needs, receivePdus, metrics });
  return { endpoints: bindEndpoints([sendTransaction], { transactions }), receive };
}
