import { expect, test } from 'vitest';
import { csvOf, fileName } from './export';

test.each([
  [[], 'a,b\r\n'],
  [[['x', 1]], 'a,b\r\nx,1\r\n'],
  [[[null, undefined]], 'a,b\r\n,\r\n'],
  [[['say "x", then\nstop', -1.5]], 'a,b\r\n"say ""x"", then\nstop",-1.5\r\n'],
  [[['=1+1', '-2'], ['@me', '+x']], "a,b\r\n'=1+1,'-2\r\n'@me,'+x\r\n"],
  [[[NaN, Infinity]], 'a,b\r\nNaN,Infinity\r\n'],
])('rows %o as CSV', (rows, text) => expect(csvOf(['a', 'b'], rows)).toBe(text));

test.each([
  ['Latency p95', 'latency-p95.csv'],
  ['Failed requests (5xx)', 'failed-requests-5xx.csv'],
  ['{}', 'streamflow.csv'],
  ['Größe', 'größe.csv'],
  ['x'.repeat(300), `${'x'.repeat(80)}.csv`],
])('the file of %s is %s', (title, name) => expect(fileName(title, 'csv')).toBe(name));
