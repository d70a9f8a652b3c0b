import { expect, test } from 'vitest';
import { formatDuration, parseDuration } from './duration';
import { align, chooseStep, describeRelative, expandVariables, parseInstant, rateInterval, resolve, scale, shift } from './range';

test.each([
  ['15s', 15],
  ['1h30m', 5400],
  ['250ms', 0.25],
  ['1w', 604800],
  ['90', 90],
  ['0.5', 0.5],
  ['', null],
  ['0', null],
  ['0s', null],
  ['-5m', null],
  ['5 m', null],
  ['m5', null],
  ['1h30', null],
])('a duration %s is %s seconds', (text, seconds) => expect(parseDuration(text)).toBe(seconds));

test.each([
  [15, '15s'],
  [5400, '1h30m'],
  [0.25, '250ms'],
  [86400, '1d'],
  [604800, '1w'],
  [691200, '8d'],
  [0, '0s'],
  [-1, '0s'],
  [NaN, '0s'],
  [Infinity, '0s'],
])('%s seconds are written %s', (seconds, text) => expect(formatDuration(seconds)).toBe(text));

test('what is written is read back', () => {
  for (const seconds of [0.001, 1, 59, 61, 3599, 3661, 86399, 90061, 604800, 31536000, 31622400]) expect(parseDuration(formatDuration(seconds))).toBe(seconds);
});

const NOW = Date.UTC(2026, 0, 31, 12);
test.each([
  ['now', NOW],
  ['now-1h', NOW - 3_600_000],
  ['1769860800000', 1769860800000],
  ['2026-01-31T11:00:00Z', NOW - 3_600_000],
  ['yesterday', null],
  ['now-', null],
  ['now+1h', null],
  ['12', null],
])('the instant %s', (text, ms) => expect(parseInstant(text, NOW)).toBe(ms));

test('a range that ends before it starts, or is empty, is none', () => {
  expect(resolve({ from: 'now-1h', to: 'now' }, NOW)).toEqual({ start: NOW / 1000 - 3600, end: NOW / 1000 });
  expect(resolve({ from: 'now', to: 'now-1h' }, NOW)).toBeNull();
  expect(resolve({ from: 'now', to: 'now' }, NOW)).toBeNull();
  expect(resolve({ from: 'x', to: 'now' }, NOW)).toBeNull();
});

test('a preset has a name, another relative range its length, an absolute one neither', () => {
  expect(describeRelative({ from: 'now-1h', to: 'now' })).toBe('Last hour');
  expect(describeRelative({ from: 'now-45m', to: 'now' })).toBe('Last 45m');
  expect(describeRelative({ from: '1769860800000', to: '1769864400000' })).toBeNull();
});

test.each([
  [{ start: 0, end: 900 }, 600, 1, 5],
  [{ start: 0, end: 3600 }, 600, 1, 30],
  [{ start: 0, end: 86400 }, 1200, 1, 300],
  [{ start: 0, end: 900 }, 600, 15, 15],
  [{ start: 0, end: 10 }, 600, 1, 1],
  [{ start: 0, end: 3600 }, 0, 1, 120],
  [{ start: 0, end: 365 * 86400 * 30 }, 600, 1, 55 * 86400],
])('the step of %o on %s px with at least %s s is %s s', (window, width, least, step) => expect(chooseStep(window, width, least)).toBe(step));

test('no step asks for more points than Prometheus gives', () => {
  for (const length of [1, 100, 1e4, 1e6, 1e8, 1e10]) expect(length / chooseStep({ start: 0, end: length }, 1e9, 0)).toBeLessThan(11_000);
});

test('windows are aligned, moved and scaled', () => {
  expect(align({ start: 1003, end: 2009 }, 10)).toEqual({ start: 1000, end: 2000 });
  expect(shift({ start: 100, end: 200 }, -0.5)).toEqual({ start: 50, end: 150 });
  expect(scale({ start: 100, end: 200 }, 2)).toEqual({ start: 50, end: 250 });
  expect(scale({ start: 100, end: 100 }, 2)).toEqual({ start: 99.5, end: 100.5 });
});

test('variables become durations', () => {
  const window = { start: 0, end: 3600 };
  expect(rateInterval(15, 15)).toBe(60);
  expect(rateInterval(300, 15)).toBe(315);
  expect(expandVariables('rate(a[$__rate_interval]) + rate(b[${__rate_interval}])', 15, 15, window)).toBe('rate(a[1m]) + rate(b[1m])');
  expect(expandVariables('increase(a[$__range]) / avg_over_time(b[$__interval])', 15, 5, window)).toBe('increase(a[1h]) / avg_over_time(b[15s])');
  expect(expandVariables('a{b="$__ranger"}', 15, 5, window)).toBe('a{b="$__ranger"}');
});
