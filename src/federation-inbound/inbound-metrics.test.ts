import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from '../kernel/log.ts';
import { Metrics } from '../kernel/metrics.ts';
import { createInboundMetrics } from './inbound-metrics.ts';
import type { PduResults } from './receive-pdus.ts';
import { createTransactions } from './transactions.ts';

test('what other servers send is counted, and what is under way shown', async () => {
  let now = 50_000;
  const metrics = new Metrics();
  const { promise: work, resolve: end } = Promise.withResolvers<PduResults>();
  const transactions = createTransactions({
    receivePdus: () => work,
    edus: () => new Map(),
    metrics: createInboundMetrics({
      metrics,
      clock: { now: () => now },
      metricsDomains: ['a.test', 'b.test'],
    }),
    log: createLog('error'),
  });
  const prefix = 'synapse_federation';
  const valueOf = async (name: string) => {
    const text = await metrics.registry.metrics();
    const line = text.split('\n').find((one) => one.startsWith(`${prefix}_${name} `));
    return line === undefined ? null : Number(line.split(' ')[1]);
  };
  const pdus = [{ origin_server_ts: 7_000 }, { origin_server_ts: 6_000 }];
  const edu = { edu_type: 'm.typing', content: {} };
  const answer = transactions.receive('a.test', 't', { pdus, edus: [edu] });
  const other = transactions.receive('c.test', 't', { pdus, edus: [] });
  now += 2_000;
  const staged = async () => [
    await valueOf('server_number_inbound_pdu_in_staging'),
    await valueOf('server_oldest_inbound_pdu_in_staging'),
  ];
  assert.deepEqual(await staged(), [4, 2]);
  assert.equal(await valueOf('last_received_pdu_time{origin_server_name="a.test"}'), null);
  end({});
  await Promise.all([answer, other]);
  assert.deepEqual(await staged(), [0, 0]);
  assert.equal(await valueOf('server_received_pdus_total'), 4);
  assert.equal(await valueOf('server_received_edus_total'), 1);
  assert.equal(await valueOf('server_pdu_process_time_bucket{le="1"}'), 0);
  assert.equal(await valueOf('server_pdu_process_time_bucket{le="2.5"}'), 4);
  assert.equal(await valueOf('last_received_pdu_time{origin_server_name="a.test"}'), 7);
  assert.equal(await valueOf('last_received_pdu_time{origin_server_name="c.test"}'), null);
});
