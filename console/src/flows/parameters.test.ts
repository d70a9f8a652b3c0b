import { expect, test } from 'vitest';
import type { Kind, Parameter } from '../resources';
import { fieldOf, readLines, readParameters, wordsOf } from './parameters';

const parameter = (name: string, kind: Kind): Parameter => ({ name, kind, doc: '', required: false });
const TABLE = [
  parameter('as_of', { type: 'date' }),
  parameter('drop', { type: 'path' }),
  parameter('threshold', { type: 'number' }),
  parameter('seed', { type: 'integer' }),
  parameter('replace', { type: 'flag' }),
  parameter('promote', { type: 'word', values: ['yes', 'ask', 'no'] }),
  parameter('step_for', { type: 'duration' }),
  parameter('shares', { type: 'shares' }),
];

test.each([
  ['nothing', {}, {}],
  ['all', { as_of: '2024-01-31', drop: 'drops/x', threshold: '0.3', seed: '7', replace: 'false', promote: 'ask', step_for: '30m', shares: '1%,10%' }, { as_of: '2024-01-31', drop: 'drops/x', threshold: 0.3, seed: 7, replace: false, promote: 'ask', step_for: '30m', shares: '1%,10%' }],
  ['what the table does not have', { other: '1' }, {}],
])('%s', (_, given: Record<string, string>, expected) => expect(readParameters(TABLE, (name) => given[name] ?? '')).toEqual(expected));

test('each kind has its field', () => {
  expect(TABLE.map((one) => fieldOf(one)?.type ?? wordsOf(one).join())).toEqual(['text', 'text', 'number', 'number', 'true,false', 'yes,ask,no', 'text', 'text']);
});

test.each([
  ['', {}],
  ['as_of=2024-01-31\n\n note = a=b ', { as_of: '2024-01-31', note: 'a=b' }],
])('lines %j', (text, expected) => expect(readLines(text)).toEqual(expected));

test.each(['as_of', '=x'])('%s is refused', (text) => expect(() => readLines(text)).toThrow('expected NAME=VALUE'));
