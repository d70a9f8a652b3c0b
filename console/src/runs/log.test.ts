import { expect, test } from 'vitest';
import type { LogLine } from '../resources';
import { joined, lastId, MOST_LINES, shownLines, type Level } from './log';

const line = (id: number, level = 'info'): LogLine => ({ id, time: '2024-01-01T00:00:00Z', level, message: `line ${id}` });
const ids = (lines: readonly LogLine[]) => lines.map(({ id }) => id);

test.each([
  [[], [line(1), line(2)], [1, 2]],
  [[line(1), line(2)], [line(2), line(3)], [1, 2, 3]],
  [[line(5)], [], [5]],
])('lines are joined once', (known, next, expected) => {
  expect(ids(joined(known, next))).toEqual(expected);
  expect(lastId(joined(known, next))).toBe(expected.at(-1));
});

test('nothing new keeps the list itself', () => {
  const known = [line(1)];
  expect(joined(known, [line(1)])).toBe(known);
});

test.each<[Level, number[]]>([
  ['all', [1, 2, 3]],
  ['warnings', [2, 3]],
  ['errors', [3]],
])('level %s', (level, expected) => expect(ids(shownLines([line(1), line(2, 'warning'), line(3, 'ERROR')], level).lines)).toEqual(expected));

test('of a long log the end is shown, and how much is not', () => {
  const { lines, hidden } = shownLines(Array.from({ length: MOST_LINES + 7 }, (_, i) => line(i + 1)), 'all');
  expect([lines.length, lines[0]?.id, hidden]).toEqual([MOST_LINES, 8, 7]);
});
