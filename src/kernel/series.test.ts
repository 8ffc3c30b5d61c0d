import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Counter, Histogram, Registry } from 'prom-client';
import { counterIn, histogramIn } from './series.ts';

const help = 'What it counts "here"';
const bounds = [0.1, 1, 10];
const values = [0.05, 0.1, 0.100001, 3, 10, 11, 0];

test('what is told is what prom-client would tell', async () => {
  const ours = new Registry();
  const theirs = new Registry();
  const registers = [theirs];
  const labelNames = ['method', 'code'];

  const counter = counterIn(ours, { name: 'a_total', help, labelNames });
  const expected = new Counter({ name: 'a_total', help, labelNames, registers });
  const times = histogramIn(ours, { name: 'b_seconds', help, labelNames }, bounds);
  const expectedTimes = new Histogram({
    name: 'b_seconds',
    help,
    labelNames,
    buckets: bounds,
    registers,
  });
  for (const [method, code] of [
    ['GET', '200'],
    ['PUT', '4"\\\n'],
    ['GET', '200'],
  ] as const) {
    counter.labels(method, code).inc();
    counter.labels(method, code).inc(2);
    expected.labels(method, code).inc(3);
    for (const value of values) {
      times.labels(method, code).observe(value);
      expectedTimes.labels(method, code).observe(value);
    }
  }
  assert.equal(await ours.metrics(), await theirs.metrics());
  // Asked again, nothing is counted twice.
  counter.labels('GET', '200').inc();
  expected.labels('GET', '200').inc();
  assert.equal(await ours.metrics(), await theirs.metrics());
});

test('a counter without labels is there from the beginning', async () => {
  const ours = new Registry();
  const theirs = new Registry();
  const counter = counterIn(ours, { name: 'c_total', help, labelNames: [] });
  const expected = new Counter({ name: 'c_total', help, registers: [theirs] });
  assert.equal(await ours.metrics(), await theirs.metrics());
  counter.labels().inc();
  expected.inc();
  assert.equal(await ours.metrics(), await theirs.metrics());
});
