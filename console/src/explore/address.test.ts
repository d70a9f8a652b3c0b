import { expect, test } from 'vitest';
import { EMPTY_QUERY, exploreHref, readQueries, writeQueries, type Query } from './address';

const read = (text: string): Query[] => readQueries(new URLSearchParams(text));

test('an address of Prometheus is understood', () => {
  const end = Date.UTC(2026, 0, 31, 14, 5, 9) / 1000;
  expect(read('g0.expr=rate(a%5B5m%5D)&g0.tab=0&g0.range_input=2h30m&g0.end_input=2026-01-31%2014%3A05%3A09&g0.step_input=15&g0.stacked=1')).toEqual([
    { expression: 'rate(a[5m])', tab: 'graph', rangeS: 9000, endS: end, stepS: 15, stacked: true },
  ]);
});

test('that of its third version too', () => {
  expect(read('g0.expr=up&g0.tab=graph&g0.display_mode=stacked&g0.res_type=fixed&g0.res_step=30&g1.expr=down&g1.tab=1')).toMatchObject([
    { expression: 'up', tab: 'graph', stacked: true, stepS: 30 },
    { expression: 'down', tab: 'table', stacked: false },
  ]);
});

test('gaps in the numbers close, nonsense keeps the defaults, nothing is one empty query', () => {
  expect(read('g7.expr=b&g2.expr=a').map((query) => query.expression)).toEqual(['a', 'b']);
  expect(read('g0.expr=up&g0.range_input=soon&g0.end_input=later&g0.step_input=-1')).toEqual([{ ...EMPTY_QUERY, expression: 'up' }]);
  expect(read('')).toEqual([EMPTY_QUERY]);
});

test('what is written is read back', () => {
  const queries: Query[] = [
    { expression: 'sum by (x) (a{b="ü&="})', tab: 'graph', rangeS: 5400, endS: 1769860800, stepS: 0.5, stacked: true },
    { ...EMPTY_QUERY, expression: 'b' },
  ];
  expect(readQueries(writeQueries(queries))).toEqual(queries);
  expect(exploreHref(['up'])).toBe('graph?g0.expr=up&g0.tab=0&g0.range_input=1h');
});
