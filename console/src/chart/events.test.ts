import { expect, test } from 'vitest';
import { eventsNear, toEvents } from './events';

const events = toEvents([
  { at: '2026-01-31T10:00:00.000Z', kind: 'promotion', text: 'churn version 2 promoted by ada', run_id: null },
  { at: '2026-01-31T10:00:20.000Z', kind: 'ingest', text: 'month 2026-01-31 ingested', run_id: null },
  { at: 'never', kind: 'decision', text: 'lost', run_id: 3 },
]);
const at = Date.parse('2026-01-31T10:00:00Z') / 1000;

test('an annotation without a time is no event', () => expect(events.map(({ time }) => time - at)).toEqual([0, 20]));

test.each([
  [at, 5, 'churn version 2 promoted by ada'],
  [at + 19, 30, 'month 2026-01-31 ingested\nchurn version 2 promoted by ada'],
  [at + 10, 5, ''],
])('at %s within %s seconds', (time, reach, expected) => expect(eventsNear(events, time, reach)).toBe(expected));

test('many events at one moment are counted', () => {
  const many = Array.from({ length: 9 }, (_, i) => ({ time: at, kind: 'decision' as const, text: `run ${i}` }));
  expect(eventsNear(many, at, 1).split('\n')).toEqual(['run 0', 'run 1', 'run 2', 'run 3', 'and 5 more']);
});
