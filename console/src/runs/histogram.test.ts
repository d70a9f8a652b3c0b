import { expect, test } from 'vitest';
import { binsOf, outcomeOf, totalOf } from './histogram';

const run = (started: string, state = 'completed') => ({ state, started });

test.each([
  ['nothing', [], 0, 0],
  ['runs without a time', [run('')], 0, 0],
  ['one run', [run('2024-01-01T00:00:30Z')], 1, 60_000],
  ['an hour', [run('2024-01-01T00:00:00Z'), run('2024-01-01T00:59:59Z')], 60, 60_000],
  ['a bit more than an hour', [run('2024-01-01T00:00:00Z'), run('2024-01-01T01:00:00Z')], 31, 120_000],
  ['a century', [run('1924-01-01T00:00:00Z'), run('2024-01-01T00:00:00Z')], 60, 620 * 86_400_000],
])('%s', (_, runs, count, width) => {
  const bins = binsOf(runs);
  expect(bins.length).toBeLessThanOrEqual(60);
  expect(bins.length).toBe(count);
  expect(bins.reduce((sum, bin) => sum + totalOf(bin), 0)).toBe(count === 0 ? 0 : runs.length);
  for (const { start, end } of bins) expect(end - start).toBe(width);
});

test('runs are counted by how they went', () => {
  const states = ['completed', 'failed', 'crashed', 'running', 'paused', 'cancelled'];
  expect(states.map(outcomeOf)).toEqual(['completed', 'failed', 'failed', 'open', 'open', 'cancelled']);
  expect(binsOf(states.map((state) => run('2024-01-01T00:00:00Z', state)))[0]?.counts).toEqual({ completed: 1, open: 2, cancelled: 1, failed: 2 });
});
