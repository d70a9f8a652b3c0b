/** A range query as a chart. */

import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Events, useEvents } from '../chart/events';
import { HeatmapChart } from '../chart/HeatmapChart';
import { gridOf, toLines, type ChartLine } from '../chart/series';
import { TimeChart } from '../chart/TimeChart';
import { toHeatmap } from '../heatmap';
import { queryRange } from '../prometheus';
import { useResource } from '../resource';
import { Nothing, Skeleton } from '../shell/states';
import { formatDuration } from '../time/duration';
import { align, chooseStep, type Window } from '../time/range';
import { ticks } from '../time/view';
import type { Query } from './address';

export interface AnswerProps {
  query: Query;
  onError: (message: string | null) => void;
  onChange: (query: Query) => void;
}

/** More lines than this say nothing and take long to draw. */
const MOST_LINES = 100;

export function GraphAnswer({ query, onError, onChange }: AnswerProps) {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const [all, setAll] = useState(false);
  useLayoutEffect(() => setWidth(box.current?.clientWidth ?? 800), []);
  const { data, error, loading } = useResource(
    async (signal) => {
      const end = query.endS ?? Date.now() / 1000;
      const asked: Window = { start: end - query.rangeS, end };
      const step = query.stepS ?? chooseStep(asked, width, 1, 2);
      const window = query.stepS === null ? align(asked, step) : asked;
      const begun = performance.now();
      const { series, notes } = await queryRange(query.expression, window, step, signal);
      return { series, notes, window, step, tookMs: performance.now() - begun };
    },
    [query.expression, query.rangeS, query.endS, query.stepS, query.endS === null ? ticks.value : 0, width],
    width > 0,
  );
  useEffect(() => onError(error), [error]);
  const drawn = useMemo(() => {
    if (!data) return null;
    const times = gridOf(data.window, data.step);
    const series = all ? data.series : data.series.slice(0, MOST_LINES);
    const native = data.series.filter((one) => one.histograms);
    const map = native.length > 0 ? toHeatmap(native, times) : null;
    return { times, map, lines: toLines([{ series, expression: query.expression }], times, data.step) };
  }, [data, all]);
  const zoom = (window: Window): void => onChange({ ...query, rangeS: Math.max(1, Math.round(window.end - window.start)), endS: Math.round(window.end) });
  return (
    <div ref={box} class="answer" aria-busy={loading}>
      {!error && !data && <Skeleton kind="timeseries" />}
      {!error && data && drawn && (
        <>
          {data.notes.map((note) => (
            <p class="note" key={note}>
              {note}
            </p>
          ))}
          {data.series.length === 0 ? (
            <Nothing text="The expression gives no series in this range. Is the metric name right, and is the range long enough for two samples?" />
          ) : (
            <WithEvents window={data.window}>
              {drawn.map && <HeatmapChart title={`Observations of ${query.expression}`} map={drawn.map} step={data.step} unit="short" window={data.window} height={340} onZoom={zoom} />}
              <TimeChart title={query.expression} times={drawn.times} lines={drawn.lines} unit="short" window={data.window} height={340} stacked={query.stacked} onZoom={zoom} />
            </WithEvents>
          )}
          <p class="after">
            {data.series.length} series, a point every {formatDuration(data.step)}, answered in {Math.round(data.tookMs)} ms.
            {data.series.length > MOST_LINES && !all && (
              <>
                {' '}
                The first {MOST_LINES} are drawn.{' '}
                <button type="button" class="link" onClick={() => setAll(true)}>
                  Draw all
                </button>
              </>
            )}
            {data.series.length > 0 && <Save title={query.expression} times={drawn.times} lines={drawn.lines} box={box} />}
          </p>
        </>
      )}
    </div>
  );
}

function WithEvents({ window, children }: { window: Window; children: ComponentChildren }) {
  return <Events.Provider value={useEvents(window)}>{children}</Events.Provider>;
}

function Save({ title, times, lines, box }: { title: string; times: readonly number[]; lines: readonly ChartLine[]; box: { current: Element | null } }) {
  const columns = lines.map((line) => ({ name: line.label, values: line.values }));
  return (
    <>
      {' '}
      Save as{' '}
      <button type="button" class="link" onClick={() => void import('../export').then(({ saveSeriesCsv }) => saveSeriesCsv(title, times, columns))}>
        CSV
      </button>{' '}
      or{' '}
      <button type="button" class="link" onClick={() => void import('../export').then(({ savePng }) => box.current && savePng(title, box.current))}>
        PNG
      </button>
    </>
  );
}
