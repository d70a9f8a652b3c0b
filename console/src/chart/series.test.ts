import { expect, test } from 'vitest';
import { bySize, gridOf, isolated, isZero, lastValue, nearest, onGrid, stack, toLines, valueRange } from './series';

test('the grid has both ends', () => {
  expect(gridOf({ start: 0, end: 30 }, 10)).toEqual([0, 10, 20, 30]);
  expect(gridOf({ start: 0, end: 0.3 }, 0.1)).toEqual([0, 0.1, 0.2, 0.3]);
  expect(gridOf({ start: 10, end: 0 }, 10)).toEqual([]);
});

test('values sit on the grid; what cannot be drawn is missing', () => {
  const samples: [number, number][] = [[10, 1], [20, NaN], [30, Infinity], [90, 4]];
  expect(onGrid({ labels: {}, samples }, [0, 10, 20, 30, 40], 10)).toEqual([null, 1, null, null, null]);
  expect(onGrid({ labels: {}, samples }, [], 10)).toEqual([]);
});

test('lines of several queries have unique names and colours that go on', () => {
  const one = { labels: {}, samples: [] };
  const code = (text: string) => ({ labels: { code: text }, samples: [] });
  const lines = toLines([{ series: [one], legend: 'rate', expression: 'a' }, { series: [one], legend: 'rate', expression: 'b' }, { series: [code('404'), code('422')], legend: '{{code}}', expression: 'c' }], [0], 1);
  expect(lines.map(({ label }) => label)).toEqual(['rate', 'rate (2)', '404', '422']);
  expect(lines.map(({ colour }) => colour)).toEqual(['0', '1', 'warn', '3']);
});

test('a stack adds what is shown and leaves empty moments empty', () => {
  const lines = [
    { label: 'a', colour: '0', values: [1, null, null] },
    { label: 'b', colour: '1', values: [2, 3, null] },
    { label: 'c', colour: '2', values: [4, null, null] },
  ];
  expect(stack(lines, new Set())).toEqual([[1, null, null], [3, 3, null], [7, 3, null]]);
  expect(stack(lines, new Set(['b']))).toEqual([[1, null, null], [null, null, null], [5, null, null]]);
  expect(stack([], new Set())).toEqual([]);
});

test('a stack begins with the smallest', () => {
  const line = (label: string, ...values: (number | null)[]) => ({ label, colour: '0', values });
  expect(bySize([line('big', 5, 5), line('none', null), line('zero', 0, 0), line('small', 1)]).map(({ label }) => label)).toEqual(['none', 'zero', 'small', 'big']);
});

test('the last value that is there', () => {
  expect(lastValue([1, 2, null])).toBe(2);
  expect(lastValue([0])).toBe(0);
  expect(lastValue([null])).toBeNull();
  expect(lastValue([])).toBeNull();
});

test('points without neighbours', () => {
  expect(isolated([1, null, 2, 3, null, 4])).toEqual([0, 5]);
  expect(isolated([null])).toEqual([]);
  expect(isolated([7])).toEqual([0]);
});

test.each([
  [0, 10, [], 0, 10.6],
  [5, 10, [], 0, 10.6],
  [-10, 0, [], -10.6, 0.6],
  [0, 1, [14.4], 0, 15.264],
  [null, null, [], 0, 1],
  [0, 0, [], 0, 1],
])('the axis for %s to %s with marks %o runs from %s to %s', (min, max, marks, low, high) => {
  const [from, to] = valueRange(min, max, marks);
  expect(from).toBeCloseTo(low, 9);
  expect(to).toBeCloseTo(high, 9);
});

test.each([
  [[1, 5, 9], 4, false, 1],
  [[1, null, 9], 6, false, 2],
  [[null, undefined], 6, false, null],
  [[], 0, false, null],
  [[3, 3], 3, false, 0],
  [[2, 6, 10], 3, true, 1],
  [[2, 6, 10], 11, true, 2],
  [[2, null, 10], 1, true, 0],
])('of %o the nearest to %s, stacked %s, is number %s', (values, at, stacked, found) => expect(nearest(values, at, stacked)).toBe(found));

test('a series of zeros is told from one that left zero once', () => {
  expect(isZero({ labels: {}, samples: [[0, 0], [1, 0]] })).toBe(true);
  expect(isZero({ labels: {}, samples: [[0, 0], [1, 1e-9]] })).toBe(false);
  expect(isZero({ labels: {}, samples: [[0, NaN]] })).toBe(false);
  expect(isZero({ labels: {}, samples: [] })).toBe(true);
});
