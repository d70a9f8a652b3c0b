import { expect, test } from 'vitest';
import { counted, formatNumber, formatTicks, formatValue, formatWithin } from './units';

const plain = (text: string): string => text.replaceAll('\u00a0', ' ');

test.each([
  [0, 'reqps', '0 req/s'],
  [12.345, 'reqps', '12.3 req/s'],
  [1234, 'reqps', '1.23 kreq/s'],
  [0.5312, 'percent', '0.531 %'],
  [0.0712, 'percentunit', '7.12 %'],
  [0.00974, 'seconds', '9.74 ms'],
  [0.0000021, 's', '2.1 µs'],
  [3e-9, 's', '3 ns'],
  [90, 's', '90 s'],
  [5400, 's', '90 min'],
  [90000, 's', '25 h'],
  [864000, 's', '10 d'],
  [250, 'ms', '250 ms'],
  [1024, 'bytes', '1 KiB'],
  [1023, 'bytes', '1023 B'],
  [182e6, 'bytes', '174 MiB'],
  [1e6, 'short', '1 M'],
  [999999, 'short', '1 M'],
  [-1500, 'short', '−1.5 k'],
  [4, 'parrots', '4 parrots'],
  [1.25, 'none', '1.25'],
  [null, 'bytes', '–'],
  [undefined, 'bytes', '–'],
  [NaN, 'seconds', 'NaN'],
  [Infinity, 'seconds', '+∞'],
  [-Infinity, 'seconds', '−∞'],
])('%s in %s is %s', (value, unit, text) => expect(plain(formatValue(value, unit))).toBe(text));

test.each([
  [0, '0'],
  [-0, '0'],
  [0.1 + 0.2, '0.3'],
  [1234567, '1234567'],
  [1e21, '1e21'],
  [1.5e-7, '1.5e−7'],
])('the number %s is written %s', (value, text) => expect(formatNumber(value)).toBe(text));

test.each([
  [[0, 0.5, 1, 1.5], 'short', ['0', '0.5', '1', '1.5']],
  [[0, 2.5, 5, 7.5, 10, 12.5], 'short', ['0', '2.5', '5', '7.5', '10', '12.5']],
  [[100, 100.5, 101], 'short', ['100', '100.5', '101']],
  [[0, 0.05, 0.1], 'percentunit', ['0 %', '5 %', '10 %']],
  [[0, 0.005, 0.01], 'seconds', ['0 s', '5 ms', '10 ms']],
  [[], 'short', []],
])('ticks %o in %s', (ticks, unit, texts) => expect(formatTicks(ticks, unit).map(plain)).toEqual(texts));

test.each([
  [0.00002, '< 20 µs'],
  [0.000011, '< 20 µs'],
  [0.0000201, '20.1 µs'],
  [10, '> 10 s'],
  [NaN, 'NaN'],
  [null, '–'],
])('%s s between 20 µs and 10 s is %s', (value, text) => expect(plain(formatWithin(value, 'seconds', [0.00002, 10]))).toBe(text));

test('without bounds a value is what it is', () => expect(plain(formatWithin(0.00001, 'seconds'))).toBe('10 µs'));

test.each([
  [0, 'row', undefined, '0 rows'],
  [1, 'row', undefined, '1 row'],
  [0.5, 'alarm', undefined, '0.5 alarms'],
  [1, 'entity', 'entities', '1 entity'],
  [12_345, 'entity', 'entities', '12345 entities'],
])('%s of %s is %s', (count, noun, plural, text) => expect(counted(count, noun, plural)).toBe(text));
