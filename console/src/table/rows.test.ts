import { expect, test } from 'vitest';
import { compare, matching, nextSort, readSort, type CellValue } from './rows';

test.each([
  ['', null],
  ['-', null],
  ['auc', { key: 'auc', descending: false }],
  ['-auc', { key: 'auc', descending: true }],
])('the sort %s', (text, sort) => expect(readSort(text)).toEqual(sort));

test.each([
  ['', 'auc'],
  ['f1', 'auc'],
  ['auc', '-auc'],
  ['-auc', ''],
])('a click on auc after %s leads to %s', (before, after) => expect(nextSort(readSort(before), 'auc')).toBe(after));

test.each([
  ['', [0, 1, 2]],
  ['  ', [0, 1, 2]],
  ['MONITOR', [0, 2]],
  ['failed monitor', [2]],
  ['nothing', []],
])('the search %s finds %o', (search, found) => expect(matching(['monitor_month completed', 'ingest failed', 'monitor_month failed'], search)).toEqual(found));

test('many rows are searched and sorted at once', () => {
  const texts = Array.from({ length: 5000 }, (_, i) => `run ${i} ${i % 7 ? 'completed' : 'failed'}`);
  expect(matching(texts, 'failed')).toHaveLength(715);
});

test.each<[CellValue[], boolean, CellValue[]]>([
  [[3, null, 1, NaN, 2], false, [1, 2, 3, null, NaN]],
  [[3, null, 1, NaN, 2], true, [3, 2, 1, null, NaN]],
  [['v10', 'v9', '', undefined], false, ['v9', 'v10', '', undefined]],
  [['b', 2, 'A'], false, [2, 'A', 'b']],
  [[-Infinity, Infinity, 0], true, [Infinity, 0, -Infinity]],
])('%o sorted, descending %s, is %o', (values, descending, sorted) => expect([...values].sort((a, b) => compare(a, b, descending))).toEqual(sorted));
