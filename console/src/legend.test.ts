import { expect, test } from 'vitest';
import { colourOf, formatLabels, legendOf } from './legend';

test.each([
  [{}, '{}'],
  [{ __name__: 'up' }, 'up'],
  [{ __name__: 'up', job: 'api' }, 'up{job="api"}'],
  [{ a: 'say "x"\\' }, '{a="say \\"x\\"\\\\"}'],
])('labels %o are written %s', (labels, text) => expect(formatLabels(labels)).toBe(text));

test.each([
  ['{{code}}', { code: '200' }, '200'],
  ['class {{ prediction }}', { prediction: '1' }, 'class 1'],
  ['p95', {}, 'p95'],
  ['{{absent}}', { __name__: 'up' }, 'up'],
  ['__auto', { job: 'a' }, '{job="a"}'],
  [undefined, {}, 'sum(up)'],
])('the legend %s of %o is %s', (template, labels, text) => expect(legendOf(template, labels, 'sum(up)')).toBe(text));

test.each([
  ['200', 3, 'good'],
  ['5xx', 3, 'bad'],
  ['500', 3, 'bad'],
  ['404', 3, 'warn'],
  ['failed', 3, 'bad'],
  ['5m', 3, '3'],
  ['p95', 13, '3'],
  ['2000', 1, '1'],
])('the colour of %s as number %s is %s', (label, index, colour) => expect(colourOf(label, index)).toBe(colour));
