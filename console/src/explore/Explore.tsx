/** Any question to the metrics, as a table or a chart, several beside each other. */

import { place, navigate, linkTo } from '../location';
import { PageHead } from '../shell/PageHead';
import { TimeControls } from '../shell/TimeControls';
import { isRelative } from '../time/range';
import { range, view } from '../time/view';
import { EMPTY_QUERY, readQueries, writeQueries, type Query } from './address';
import { QueryPane } from './QueryPane';

export function Explore() {
  const { parameters } = place.value;
  const queries = readQueries(parameters, parameters.has('from') ? shownNow() : EMPTY_QUERY);
  const show = (next: readonly Query[], replace = false): void => {
    navigate(linkTo('graph', writeQueries(next)), replace);
  };
  return (
    <>
      <PageHead title="Explore">
        <TimeControls only="refresh" />
      </PageHead>
      {queries.map((query, n) => (
        <QueryPane
          key={n}
          number={n}
          query={query}
          onChange={(changed, replace) => show(queries.with(n, changed), replace)}
          {...(queries.length > 1 ? { onRemove: () => show(queries.toSpliced(n, 1)) } : {})}
        />
      ))}
      <button type="button" onClick={() => show([...queries, { ...EMPTY_QUERY, ...pick(queries.at(-1)) }])}>
        Add a query
      </button>
    </>
  );
}

/** An empty query over the time that the page before showed. */
function shownNow(): Query {
  const { start, end } = view.value;
  return { ...EMPTY_QUERY, rangeS: Math.round(end - start), endS: isRelative(range.value) ? null : end };
}

/** A new query looks at the same time as the one before it. */
function pick(last: Query | undefined): Partial<Query> {
  return last ? { rangeS: last.rangeS, endS: last.endS, tab: last.tab } : {};
}
