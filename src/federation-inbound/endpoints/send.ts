import { Type } from 'typebox';
import { endpoint } from '../../http/endpoint.ts';
import type { JsonObject } from '../../matrix/pdu.ts';
import { edusMax, pdusMax } from '../config.ts';
import type { Transaction, Transactions } from '../transactions.ts';

/** Fifty events of the largest size, and EDUs beside them. */
const bodyBytesMax = 16 * 1024 * 1024;

const Pdu = Type.Record(Type.String(), Type.Any());
const Edu = Type.Object({
  edu_type: Type.String(),
  content: Type.Record(Type.String(), Type.Any()),
});

export const sendTransaction = endpoint<{ transactions: Transactions }>()({
  operation: 'sendTransaction',
  method: 'PUT',
  paths: ['/_matrix/federation/v1/send/:txnId'],
  auth: 'server',
  // A server sends one at a time; to hold it back only makes it send more at once.
  rateLimit: 'none',
  resource: 'federation',
  runsOn: { group: 'federation_inbound', balance: 'origin' },
  summary: 'Takes in what another server has to tell: events, and what passes',
  source: 'SS 1.19, sendTransaction',
  bodyBytesMax,
  body: Type.Object({
    pdus: Type.Optional(Type.Array(Pdu, { maxItems: pdusMax })),
    edus: Type.Optional(Type.Array(Edu, { maxItems: edusMax })),
  }),
  answers: {
    200: Type.Object({ pdus: Type.Record(Type.String(), Type.Object({})) }),
  },
  async handle({ params, body, origin }, { transactions }) {
    const transaction: Transaction = {
      pdus: (body.pdus ?? []) as JsonObject[],
      edus: (body.edus ?? []) as Transaction['edus'],
    };
    return { pdus: await transactions.receive(origin, params['txnId']!, transaction) };
  },
});
