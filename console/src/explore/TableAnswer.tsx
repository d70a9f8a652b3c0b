/** An instant query as a table. */

import { useEffect, useState } from 'preact/hooks';
import { zone } from '../preferences';
import { queryInstant, type InstantAnswer, type NativeHistogram, type RangeSeries } from '../prometheus';
import { useResource } from '../resource';
import type { Labels } from '../legend';
import { Nothing, Skeleton } from '../shell/states';
import { formatTime } from '../time/clock';
import { ticks } from '../time/view';
import type { AnswerProps } from './GraphAnswer';
import { counted } from '../units';

const MOST_ROWS = 500;

export function TableAnswer({ query, onError }: AnswerProps) {
  const [all, setAll] = useState(false);
  const { data, error, loading } = useResource(
    async (signal) => {
      const begun = performance.now();
      const answer = await queryInstant(query.expression, query.endS ?? Date.now() / 1000, signal);
      return { answer, tookMs: performance.now() - begun };
    },
    [query.expression, query.endS, query.endS === null ? ticks.value : 0],
  );
  useEffect(() => onError(error), [error]);
  if (error) return null;
  if (!data) return <Skeleton kind="bar" />;
  const rows = rowsOf(data.answer);
  return (
    <div class="answer" aria-busy={loading}>
      {data.answer.notes.map((note) => (
        <p class="note" key={note}>
          {note}
        </p>
      ))}
      {rows.length === 0 ? (
        <Nothing text="The expression gives no series at this time." />
      ) : (
        <div class="table-box" tabIndex={0} role="region" aria-label="Answer">
          <table class="data">
            <thead>
              <tr>
                <th scope="col">Series</th>
                <th scope="col" class="num">
                  Value
                </th>
              </tr>
            </thead>
            <tbody>
              {(all ? rows : rows.slice(0, MOST_ROWS)).map((row, i) => (
                <tr key={i}>
                  <td>{row.labels ? <Series labels={row.labels} /> : row.kind}</td>
                  <td class="num values">{row.value}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <p class="after">
        {counted(rows.length, 'row')}, answered in {Math.round(data.tookMs)} ms.
        {rows.length > MOST_ROWS && !all && (
          <>
            {' '}
            The first {MOST_ROWS} are shown.{' '}
            <button type="button" class="link" onClick={() => setAll(true)}>
              Show all
            </button>
          </>
        )}
      </p>
    </div>
  );
}

interface Row {
  labels?: Labels;
  kind?: string;
  value: string;
}

/** Values in full: a table is where one reads the last digit. */
function rowsOf(answer: InstantAnswer): Row[] {
  switch (answer.kind) {
    case 'vector':
      return answer.samples.map(({ labels, value, histogram }) => ({ labels, value: histogram ? textOf(histogram) : String(value) }));
    case 'matrix':
      return answer.series.map((one) => ({ labels: one.labels, value: linesOf(one).join('\n') }));
    default:
      return [{ kind: answer.kind, value: answer.text }];
  }
}

function linesOf({ samples, histograms }: RangeSeries): string[] {
  const at = new Map((histograms ?? []).map((histogram) => [histogram.time, histogram]));
  return samples.map(([time, value]) => {
    const histogram = at.get(time);
    return `${histogram ? textOf(histogram) : value} @ ${formatTime(time * 1000, zone.value, true)}`;
  });
}

/** How many observations, their sum, and each bucket with some of them. */
function textOf({ count, sum, buckets }: NativeHistogram): string {
  const parts = buckets.map(({ lower, upper, count: inside }) => `${lower} to ${upper}: ${inside}`);
  return [`count ${count}, sum ${sum}`, ...parts].join('\n');
}

function Series({ labels }: { labels: Labels }) {
  const { __name__: name, ...others } = labels;
  const pairs = Object.entries(others);
  if (!name && pairs.length === 0) return <code>{'{}'}</code>;
  return (
    <code class="series">
      {name && <b>{name}</b>}
      {pairs.length > 0 && '{'}
      {pairs.map(([key, value], i) => (
        <span key={key}>
          {i > 0 && ', '}
          <span class="key">{key}</span>="{value}"
        </span>
      ))}
      {pairs.length > 0 && '}'}
    </code>
  );
}
