/** Explore's state in the address, as Prometheus writes it: `graph?g0.expr=up&g0.tab=0&g0.range_input=1h`. */

import { linkTo } from '../location';
import { formatDuration, parseDuration } from '../time/duration';

export interface Query {
  expression: string;
  tab: 'graph' | 'table';
  rangeS: number;
  /** Null: now. */
  endS: number | null;
  /** Null: chosen from the width. */
  stepS: number | null;
  stacked: boolean;
}

export const EMPTY_QUERY: Query = { expression: '', tab: 'table', rangeS: 3600, endS: null, stepS: null, stacked: false };

/** Queries of an address in their order, without any the empty one. Numbers may have gaps; what cannot be read keeps its default. */
export function readQueries(parameters: URLSearchParams, empty = EMPTY_QUERY): Query[] {
  const numbers = new Set<number>();
  for (const key of parameters.keys()) {
    const match = /^g(\d{1,3})\./.exec(key);
    if (match) numbers.add(Number(match[1]));
  }
  const queries = [...numbers].sort((a, b) => a - b).map((n) => readQuery(parameters, `g${n}.`));
  return queries.length ? queries : [{ ...empty }];
}

function readQuery(parameters: URLSearchParams, prefix: string): Query {
  const read = (name: string): string => parameters.get(prefix + name) ?? '';
  const tab = read('tab');
  const mode = read('display_mode');
  const end = read('end_input') || read('moment_input');
  const endMs = end === '' ? NaN : /^\d+(\.\d+)?$/.test(end) ? Number(end) * 1000 : Date.parse(`${end.replace(' ', 'T')}${/Z|[+-]\d\d:?\d\d$/.test(end) ? '' : 'Z'}`);
  return {
    expression: read('expr'),
    tab: tab === '0' || tab === 'graph' ? 'graph' : 'table',
    rangeS: parseDuration(read('range_input')) ?? EMPTY_QUERY.rangeS,
    endS: Number.isFinite(endMs) ? endMs / 1000 : null,
    stepS: parseDuration(read('step_input') || read('res_step')),
    stacked: mode === 'stacked' || (mode === '' && read('stacked') === '1'),
  };
}

/** The parameters that `readQueries` reads back. The end is written in UTC, as Prometheus does. */
export function writeQueries(queries: readonly Query[]): URLSearchParams {
  const parameters = new URLSearchParams();
  queries.forEach((query, n) => {
    const write = (name: string, value: string): void => parameters.set(`g${n}.${name}`, value);
    write('expr', query.expression);
    write('tab', query.tab === 'graph' ? '0' : '1');
    write('range_input', formatDuration(query.rangeS));
    if (query.stacked) write('stacked', '1');
    if (query.stepS !== null) write('step_input', String(query.stepS));
    if (query.endS !== null) write('end_input', new Date(query.endS * 1000).toISOString().slice(0, 19).replace('T', ' '));
  });
  return parameters;
}

export function exploreHref(expressions: readonly string[], query: Partial<Query> = {}): string {
  const queries = expressions.map((expression) => ({ ...EMPTY_QUERY, tab: 'graph' as const, ...query, expression }));
  return linkTo('graph', writeQueries(queries));
}
