import { expect, test } from 'vitest';
import { shade, toHeatmap } from './heatmap';
import type { RangeSeries } from './prometheus';

const bucket = (le: string, ...values: number[]): RangeSeries => ({ labels: { le }, samples: values.map((value, i) => [i * 10, value]) });

test('cells are the differences between bounds, in the order of the bounds', () => {
  const map = toHeatmap([bucket('+Inf', 10, 12), bucket('0.1', 4, 4), bucket('0.5', 9, 10)], [0, 10]);
  expect(map.bounds).toEqual([0.1, 0.5, Infinity]);
  expect(map.counts).toEqual([[4, 4], [5, 6], [1, 2]]);
  expect(map.max).toBe(6);
});

test('two spellings of a bound are one bucket', () => {
  const map = toHeatmap([bucket('1', 2), bucket('1.0', 3), bucket('+Inf', 5)], [0]);
  expect(map.bounds).toEqual([1, Infinity]);
  expect(map.counts).toEqual([[5], [0]]);
});

test('a bucket below the one under it counts nothing; gaps stay gaps', () => {
  const map = toHeatmap([bucket('1', 5, NaN), bucket('2', 3)], [0, 10]);
  expect(map.counts).toEqual([[5, null], [0, null]]);
});

test('empty buckets beyond the observations are cut to one on each side', () => {
  const bounds = ['1', '2', '3', '4', '5', '6', '+Inf'];
  const map = toHeatmap(bounds.map((le, i) => bucket(le, i < 2 ? 0 : 7)), [0]);
  expect(map.bounds).toEqual([2, 3, 4]);
  expect(map.counts).toEqual([[0], [7], [0]]);
});

test('native histograms are added up, whatever bounds each has', () => {
  const native = (...histograms: [time: number, ...buckets: [number, number][]][]): RangeSeries => ({
    labels: {},
    samples: [],
    histograms: histograms.map(([time, ...buckets]) => ({
      time,
      sum: 0,
      count: buckets.reduce((sum, [, count]) => sum + count, 0),
      buckets: buckets.map(([upper, count]) => ({ lower: upper / 2, upper, count })),
    })),
  });
  const map = toHeatmap([native([0, [1, 2], [2, 3]], [10, [4, 7]]), native([0, [2, 1], [Infinity, 1]])], [0, 10, 20]);
  expect(map.bounds).toEqual([1, 2, 4, Infinity]);
  expect(map.counts).toEqual([
    [2, 0, null],
    [4, 0, null],
    [0, 7, null],
    [1, 0, null],
  ]);
});

test('nothing, unreadable bounds and moments off the grid give no cells', () => {
  expect(toHeatmap([], [0, 10])).toMatchObject({ bounds: [], counts: [], max: 0 });
  expect(toHeatmap([bucket('wide', 3), { labels: {}, samples: [[0, 1]] }], [0])).toMatchObject({ bounds: [], max: 0 });
  expect(toHeatmap([bucket('1', 3)], [5]).max).toBe(0);
});

test.each([
  [0, 10, 0],
  [10, 10, 1],
  [NaN, 10, 0],
  [3, 0, 0],
])('the shade of %s of %s is %s', (count, max, share) => expect(shade(count, max)).toBe(share));

test('a single observation can be seen beside a million', () => expect(shade(1, 1e6)).toBeGreaterThan(0.1));
