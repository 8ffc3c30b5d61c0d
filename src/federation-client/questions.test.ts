import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MatrixError } from '../kernel/errors.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import { FederationError } from './errors.ts';
import type { FederationRequest } from './federation-client.ts';
import { createQuestions, toldToClient } from './questions.ts';

function setting() {
  const sent: FederationRequest[] = [];
  const clock = { nowMs: 0, now: () => clock.nowMs };
  const waiting: ((answer: JsonObject) => void)[] = [];
  const federation = {
    async request(_destination: string, request: FederationRequest): Promise<JsonObject> {
      sent.push(request);
      return new Promise((resolve) => waiting.push(resolve));
    },
  };
  return { sent, clock, waiting, questions: createQuestions(federation, clock) };
}

test('an answer is remembered for as long as it is said, and is for all who ask meanwhile', async () => {
  const { sent, clock, waiting, questions } = setting();
  const question = { uri: '/a', keptMs: 1_000 };
  const asked = [questions.ask('b.test', question), questions.ask('b.test', question)];
  waiting[0]!({ n: 1 });
  assert.deepEqual(await Promise.all(asked), [{ n: 1 }, { n: 1 }]);
  clock.nowMs = 999;
  assert.deepEqual(await questions.ask('b.test', question), { n: 1 });
  assert.equal(sent.length, 1);
  clock.nowMs = 1_000;
  const again = questions.ask('b.test', question);
  waiting[1]!({ n: 2 });
  assert.deepEqual(await again, { n: 2 });
});

test('other questions, and questions to others, are asked by themselves', () => {
  const { sent, questions } = setting();
  const kept = { keptMs: 1_000 };
  void questions.ask('b.test', { uri: '/a', ...kept });
  void questions.ask('c.test', { uri: '/a', ...kept });
  void questions.ask('b.test', { uri: '/b', ...kept });
  void questions.ask('b.test', { uri: '/a', content: { x: 1 }, ...kept });
  void questions.ask('b.test', { uri: '/a', content: { x: 2 }, ...kept });
  assert.deepEqual(
    sent.map(({ method, uri }) => `${method} ${uri}`),
    ['GET /a', 'GET /a', 'GET /b', 'POST /a', 'POST /a'],
  );
});

test('what is not to be remembered is asked each time', async () => {
  const { sent, waiting, questions } = setting();
  for (const n of [0, 1]) {
    const asked = questions.ask('b.test', { uri: '/a', keptMs: 0 });
    waiting[n]!({ n });
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    assert.deepEqual(await asked, { n });
  }
  assert.equal(sent.length, 2);
});

test('clients are told what they can use', () => {
  const told = (error: unknown, passedOn: readonly (403 | 404)[] = [403, 404]) => {
    const answer = toldToClient(error, 'The thing', passedOn);
    assert.ok(answer instanceof MatrixError);
    return `${answer.status} ${answer.code} ${answer.message}`;
  };
  const refused = (status: number, body: JsonObject | null) =>
    new FederationError('refused', 'b.test', 'no', { answer: { status, body } });
  assert.equal(told(refused(404, { error: 'Gone' })), '404 M_NOT_FOUND Gone');
  assert.equal(told(refused(403, null)), '403 M_FORBIDDEN The thing was refused');
  const unfetched = '502 M_UNKNOWN The thing could not be fetched from b.test';
  assert.equal(told(refused(403, { error: 'Gone' }), [404]), unfetched);
  assert.equal(told(refused(401, { errcode: 'M_UNKNOWN_TOKEN', error: 'x' })), unfetched);
  assert.equal(told(new FederationError('timeout', 'b.test', 'slow')), unfetched);
  assert.match(told(new FederationError('denied', 'b.test', 'no')), /^403 M_FORBIDDEN/);
  const bug = new TypeError('a bug');
  assert.equal(toldToClient(bug, 'The thing', []), bug);
});
