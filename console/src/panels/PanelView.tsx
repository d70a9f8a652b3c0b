/** One panel of the Overview: asks when it comes into sight, keeps its last picture while it asks again. */

import { useEffect, useRef, useState } from 'preact/hooks';
import { lastValue } from '../chart/series';
import { HeatmapChart } from '../chart/HeatmapChart';
import { Sparkline } from '../chart/Sparkline';
import { TimeChart, type Mark } from '../chart/TimeChart';
import { exploreHref } from '../explore/address';
import { goneSince } from '../http';
import { legendOf } from '../legend';
import { useResource } from '../resource';
import type { Panel, Threshold } from '../resources';
import { Failure, Nothing, Skeleton } from '../shell/states';
import { describeRelative, expandVariables } from '../time/range';
import { range, ticks, view, zoomTo } from '../time/view';
import { formatValue, formatWithin } from '../units';
import { fetchPanel, type PanelData, type Reading } from './data';
import { Frame } from './Frame';
import { bucketColumns, SeriesTable, type Column } from './PanelTable';
import { SPOKEN, verdictOf } from './verdict';

const CHART_HEIGHT = 208;

export function PanelView({ id, panel, scrapeInterval }: { id: string; panel: Panel; scrapeInterval: number }) {
  const box = useRef<HTMLDivElement>(null);
  const near = useNear(box);
  const [asTable, setAsTable] = useState(false);
  const asked = view.value;
  const { data, error, loading, reload } = useResource(
    (signal) => fetchPanel(panel, asked, box.current?.clientWidth ?? 600, scrapeInterval, signal),
    [panel, asked.start, asked.end, ticks.value, scrapeInterval],
    near,
  );
  const charted = panel.kind === 'timeseries' || panel.kind === 'heatmap';
  return (
    <div ref={box} class={`cell kind-${panel.kind} w-${Math.min(24, Math.max(1, Math.round(panel.width)))}`}>
      <Frame
        id={id}
        title={panel.title}
        description={panel.description}
        exploreHref={toExplore(panel, scrapeInterval)}
        {...(charted ? { table: { shown: asTable, toggle: () => setAsTable(!asTable) } } : {})}
        save={data && !error ? saveOf(panel, data, charted && !asTable ? box : null) : undefined}
        notes={data?.notes ?? []}
        busy={loading && !data}
        className={error && data ? 'stale' : ''}
      >
        {error ? <Failure message={error} retry={reload} /> : !data ? <Waiting kind={panel.kind} /> : <Body panel={panel} data={data} asTable={asTable} />}
      </Frame>
    </div>
  );
}

function Waiting({ kind }: { kind: string }) {
  return goneSince.value === null ? <Skeleton kind={kind} /> : <Nothing text="Not loaded: the server does not answer." />;
}

/** How the panel is saved; nothing for one without numbers. */
function saveOf(panel: Panel, data: PanelData, box: { current: Element | null } | null) {
  const columns = columnsOf(panel, data);
  if (columns.length === 0 || !('times' in data)) return undefined;
  const { title } = panel;
  return {
    csv: () => void import('../export').then(({ saveSeriesCsv }) => saveSeriesCsv(title, data.times, columns)),
    png: box ? () => void import('../export').then(({ savePng }) => box.current && savePng(title, box.current)) : undefined,
  };
}

/** The columns of a chart as a table. */
function columnsOf(panel: Panel, data: PanelData): Column[] {
  if (data.kind === 'timeseries') return data.lines.map((line) => ({ name: line.label, values: line.values }));
  return data.kind === 'heatmap' ? bucketColumns(data.map.bounds, data.map.counts, panel.unit) : [];
}

/** True from the moment the element comes within a screen's half of the visible part. */
function useNear(box: { current: HTMLElement | null }): boolean {
  const [near, setNear] = useState(false);
  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const observer = new IntersectionObserver((entries) => setNear(entries.some((entry) => entry.isIntersecting)), { rootMargin: '50% 0px' });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return near;
}

function toExplore(panel: Panel, scrapeInterval: number): string {
  const window = view.value;
  const step = Math.max(1, Math.round((window.end - window.start) / 250));
  const expressions = panel.targets.map(({ expression }) => expandVariables(expression, step, scrapeInterval, window));
  const relative = describeRelative(range.value) !== null;
  return exploreHref(expressions, { rangeS: window.end - window.start, ...(relative ? {} : { endS: window.end }), stacked: panel.stacked });
}

function Body({ panel, data, asTable }: { panel: Panel; data: PanelData; asTable: boolean }) {
  switch (data.kind) {
    case 'stat':
      return <Stat panel={panel} data={data} />;
    case 'bar':
      return <Bars panel={panel} readings={data.readings} />;
    case 'heatmap': {
      if (data.map.bounds.length === 0 || data.map.max === 0) return <Nothing text={panel.empty} />;
      if (asTable) return <SeriesTable caption={panel.title} times={data.times} columns={columnsOf(panel, data)} unit="short" />;
      return <HeatmapChart title={panel.title} map={data.map} step={data.step} unit={panel.unit} window={data.window} height={CHART_HEIGHT} syncKey="overview" onZoom={zoomTo} />;
    }
    case 'timeseries': {
      if (data.lines.every((line) => lastValue(line.values) === null)) return <Nothing text={panel.empty} />;
      if (asTable) return <SeriesTable caption={panel.title} times={data.times} columns={columnsOf(panel, data)} unit={panel.unit} bounds={panel.bounds} />;
      return (
        <TimeChart
          title={panel.title}
          times={data.times}
          lines={data.lines}
          unit={panel.unit}
          window={data.window}
          height={CHART_HEIGHT}
          stacked={panel.stacked}
          marks={marksOf(panel)}
          bounds={panel.bounds ?? null}
          syncKey="overview"
          onZoom={zoomTo}
        />
      );
    }
  }
}

/** Lines of the panel, each in the colour of the threshold it stands for. */
function marksOf(panel: Panel): Mark[] {
  return panel.lines.map(({ value, label }) => {
    const verdict = verdictOf(value, panel.thresholds);
    return { value, label, colour: verdict === 'plain' || verdict === 'good' ? 'muted' : verdict };
  });
}

function Stat({ panel, data: { readings, limit, alarming } }: { panel: Panel; data: Extract<PanelData, { kind: 'stat' | 'bar' }> }) {
  const present = readings.filter((reading) => !Number.isNaN(reading.value));
  const first = present[0];
  if (!first) return <Nothing text={panel.empty} />;
  const textual = panel.unit === 'string';
  const thresholds: readonly Threshold[] | undefined = alarming ? [{ value: null, color: 'red' }] : limit === null ? panel.thresholds : [{ value: null, color: 'green' }, { value: limit, color: 'red' }];
  const alarm = firstAlarm(thresholds);
  return (
    <>
      {present.slice(0, 3).map((reading) => {
        const verdict = textual ? 'plain' : verdictOf(reading.value, thresholds);
        return (
          <p class={`stat-value v-${verdict}`} key={reading.label}>
            {textual ? reading.label : formatWithin(reading.value, panel.unit, panel.bounds)}
            {SPOKEN[verdict] && <span class="sr"> ({SPOKEN[verdict]})</span>}
            {!textual && present.length > 1 && <small>{reading.label}</small>}
          </p>
        );
      })}
      <div class="stat-foot">
        {alarm !== null && <small>limit {formatValue(alarm, panel.unit)}</small>}
        {!textual && first.history.length > 0 && <Sparkline values={first.history} />}
      </div>
    </>
  );
}

/** From where on a value is red, when high values are the bad ones. */
function firstAlarm(thresholds: readonly Threshold[] = []): number | null {
  return thresholds.find((threshold) => threshold.color === 'red' && (threshold.value ?? 0) > 0)?.value ?? null;
}

function Bars({ panel, readings }: { panel: Panel; readings: readonly Reading[] }) {
  const shown = readings.filter((reading) => Number.isFinite(reading.value)).sort((a, b) => b.value - a.value);
  if (shown.length === 0) return <Nothing text={panel.empty} />;
  const most = Math.max(...shown.map((reading) => Math.abs(reading.value)), 1e-12);
  return (
    <ul class="bars">
      {shown.map((reading) => (
        <li key={reading.label}>
          <span class="bar-label" title={reading.label}>
            {legendOf(reading.label, {})}
          </span>
          <b>{formatValue(reading.value, panel.unit)}</b>
          <i class={`bar v-${verdictOf(reading.value, panel.thresholds)}`} style={{ width: `${(Math.abs(reading.value) / most) * 100}%` }} />
        </li>
      ))}
    </ul>
  );
}
