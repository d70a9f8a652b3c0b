import { expect, test } from 'vitest';
import type { Distribution } from '../resources';
import { binOf, placeInWords } from './bins';

const numbers: Distribution = { kind: 'numerical', edges: [0, 10, 20, 30], counts: [10, 80, 10], missing: 0 };
const levels: Distribution = { kind: 'categorical', levels: ['a', 'true'], counts: [999, 1], missing: 0 };
const rare: Distribution = { kind: 'categorical', levels: ['a', '29 others'], counts: [9, 1], missing: 0 };
const empty: Distribution = { kind: 'numerical', edges: [0, 1], counts: [0], missing: 0 };
const nothing: Distribution = { kind: 'numerical', edges: [], counts: [], missing: 0 };

test.each([
  [numbers, 0, 0],
  [numbers, 10, 1],
  [numbers, 30, 2],
  [numbers, 30.1, 2],
  [numbers, -1, 0],
  [numbers, Infinity, 2],
  [numbers, NaN, null],
  [numbers, null, null],
  [numbers, 'x', null],
  [levels, 'a', 0],
  [levels, true, 1],
  [levels, 'b', null],
  [nothing, 1, null],
])('the bin in %o of %s is %s', (distribution, value, bin) => expect(binOf(distribution, value)).toBe(bin));

test.each([
  [numbers, 25, 'higher than 95 %'],
  [numbers, 5, 'lower than 95 %'],
  [numbers, 15, 'higher than 50 %'],
  [numbers, 99, 'higher than 95 %'],
  [numbers, 'x', ''],
  [rare, 'z', 'rare or never seen'],
  [numbers, null, 'missing'],
  [levels, 'a', 'in 100 %'],
  [levels, true, 'in < 1 %'],
  [levels, 'b', 'never seen'],
  [empty, 0.5, ''],
])('%o with %s is said as %s', (distribution, value, words) => expect(placeInWords(distribution, value).replaceAll('\u00a0', ' ')).toBe(words));
