import { expect, test } from 'vitest';
import { describeWindow, formatAgo, formatClock, formatTime, toMillis } from './clock';

const AT = Date.UTC(2026, 0, 31, 14, 5, 9, 250);

test('times in UTC', () => {
  expect(formatTime(AT, 'utc')).toBe('2026-01-31 14:05:09');
  expect(formatTime(AT, 'utc', true)).toBe('2026-01-31 14:05:09.250');
  expect(formatClock(Date.UTC(2026, 0, 31), 'utc')).toBe('00:00:00');
  expect(formatTime(NaN, 'utc')).toBe('–');
  expect(formatTime(1e300, 'utc')).toBe('–');
});

test.each([
  [AT - 2000, 'now'],
  [AT - 30_000, '30 s ago'],
  [AT - 600_000, '10 min ago'],
  [AT - 7_200_000, '2 h ago'],
  [AT - 3 * 86_400_000, '3 d ago'],
  [AT + 600_000, 'in 10 min'],
  [AT - 90 * 86_400_000, '2025-11-02'],
  [NaN, 'never'],
])('%s was %s', (ms, text) => expect(formatAgo(ms, AT)).toBe(text));

test('moments of an API: seconds, milliseconds, texts, and none', () => {
  expect(toMillis(1769860800)).toBe(1769860800000);
  expect(toMillis(1769860800000)).toBe(1769860800000);
  expect(toMillis('2026-01-31T12:00:00.5Z')).toBe(1769860800500);
  expect(toMillis('0001-01-01T00:00:00Z')).toBeNaN();
  expect(toMillis(null)).toBeNaN();
  expect(toMillis('')).toBeNaN();
});

test('a window within a day names the day once', () => {
  const start = Date.UTC(2026, 0, 31, 14) / 1000;
  expect(describeWindow(start, start + 60, 'utc')).toBe('2026-01-31 14:00:00 – 14:01:00');
  expect(describeWindow(start, start + 86400, 'utc')).toBe('2026-01-31 14:00:00 – 2026-02-01 14:00:00');
});
