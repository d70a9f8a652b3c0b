import { expect, test } from 'vitest';
import type { Threshold } from '../resources';
import { verdictOf } from './verdict';

const limits: Threshold[] = [{ value: 0.3, color: 'red' }, { value: 0, color: 'green' }, { value: 0.2, color: 'yellow' }];

test.each([
  [0.07, 'good'],
  [0.2, 'warn'],
  [0.3, 'bad'],
  [-1, 'plain'],
  [NaN, 'plain'],
  [Infinity, 'bad'],
])('%s is %s', (value, verdict) => expect(verdictOf(value, limits)).toBe(verdict));

test('a first threshold without a value holds from anywhere', () => {
  expect(verdictOf(-5, [{ value: null, color: 'red' }, { value: 1, color: 'green' }])).toBe('bad');
  expect(verdictOf(1, [{ value: null, color: 'red' }, { value: 1, color: 'green' }])).toBe('good');
});

test('without thresholds nothing is meant', () => expect(verdictOf(5)).toBe('plain'));
