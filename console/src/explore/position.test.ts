import { expect, test } from 'vitest';
import { remember } from './history';
import { findPosition, wordAt } from './position';

test.each([
  ['invalid parameter "query": 1:5: parse error: unclosed left parenthesis', 'sum(up', { index: 4, line: 1, column: 4, reason: 'unclosed left parenthesis' }],
  ['1:1: parse error: no expression found in input', '', { index: 0, line: 1, column: 0, reason: 'no expression found in input' }],
  ['2:3: parse error: unexpected <op:*>', 'up +\n  * 2', { index: 7, line: 2, column: 2, reason: 'unexpected <op:*>', text: '  * 2' }],
  ['1:9: parse error: bad', 'a{b="ü"} x', { index: 7, column: 7 }],
  ['1:99: parse error: end', 'up', { index: 2, column: 2 }],
])('the place in %s', (message, query, expected) => expect(findPosition(message, query)).toMatchObject(expected));

test.each([
  ['vector cannot contain metrics with the same labelset', 'up'],
  ['9:1: parse error: elsewhere', 'up'],
])('no place in %s', (message, query) => expect(findPosition(message, query)).toBeNull());

test('the word at a place, or the last character', () => {
  expect(wordAt('sum(upper)', 4)).toEqual([4, 9]);
  expect(wordAt('a + b', 2)).toEqual([2, 3]);
  expect(wordAt('up', 2)).toEqual([1, 2]);
  expect(wordAt('', 0)).toEqual([0, 0]);
});

test('history has each query once, newest first, and an end', () => {
  expect(remember(['a', 'b'], ' b ')).toEqual(['b', 'a']);
  expect(remember(['a'], '  ')).toEqual(['a']);
  expect(remember(Array.from({ length: 50 }, (_, i) => String(i)), 'new')).toHaveLength(50);
});
