/** Observations by bucket and time, the darker the more. */

import { useContext, useEffect, useMemo, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { shade, type Heatmap } from '../heatmap';
import { paint, zone } from '../preferences';
import { formatTime } from '../time/clock';
import type { Window } from '../time/range';
import { formatNumber, formatValue } from '../units';
import { drawEvents, Events, eventsAt, type ChartEvent } from './events';
import { baseOptions, readColours, timeAxis, valueAxis, type Colours, type PlotContext } from './plot';
import { chartKeys, usePlot } from './usePlot';

export interface HeatmapChartProps {
  title: string;
  map: Heatmap;
  step: number;
  /** Unit of the bucket bounds. */
  unit: string;
  window: Window;
  height: number;
  syncKey?: string;
  onZoom: (window: Window) => void;
}

export function HeatmapChart(props: HeatmapChartProps) {
  const { map, unit } = props;
  const readout = useRef<HTMLParagraphElement>(null);
  const events = useContext(Events);
  const latest = useRef({ ...props, events });
  latest.current = { ...props, events };
  // A column that spans the buckets gives the plot its points; the cells are painted over it.
  const data = useMemo<uPlot.AlignedData>(() => [map.times, map.times.map(() => null)], [map]);
  const shape = [map.bounds.join(), unit, paint.value, zone.value, props.height];
  const makeOptions = (width: number): uPlot.Options => {
    const context: PlotContext = {
      width,
      height: props.height,
      zone: zone.value,
      syncKey: props.syncKey,
      onZoom: (window) => latest.current.onZoom(window),
      onCursor: (index) => {
        if (readout.current) readout.current.textContent = readAt(latest.current, index, plot.current);
      },
    };
    return heatmapOptions(context, latest.current, () => latest.current);
  };
  const { box, plot } = usePlot(shape, makeOptions, data, props.window);
  useEffect(() => plot.current?.redraw(false), [events]);
  return (
    <div class="chart">
      <div ref={box} class="plot" role="img" tabIndex={0} aria-label={describe(props)} onKeyDown={chartKeys(plot, props.onZoom)} />
      <p class="legend" ref={readout}>
        {readAt(latest.current, null, null)}
      </p>
    </div>
  );
}

/** `25 ms – 50 ms`; the lowest bucket starts at zero. */
export function bucketName(bounds: readonly number[], i: number, unit: string): string {
  const upper = bounds[i];
  const lower = bounds[i - 1];
  if (upper === undefined) return '';
  if (upper === Infinity) return lower === undefined ? 'any' : `over ${formatValue(lower, unit)}`;
  return lower === undefined ? `up to ${formatValue(upper, unit)}` : `${formatValue(lower, unit)} – ${formatValue(upper, unit)}`;
}

type Drawn = HeatmapChartProps & { events: readonly ChartEvent[] };

function readAt({ map, unit, events }: Drawn, index: number | null, plot: uPlot | null): string {
  const time = index === null ? undefined : map.times[index];
  if (index === null || time === undefined) return `Darkest cell: ${formatNumber(map.max, 3)} observations`;
  const top = plot?.cursor.top ?? -1;
  const bucket = plot && top >= 0 ? Math.floor(plot.posToVal(top, 'y')) : -1;
  const count = map.counts[bucket]?.[index];
  const total = map.counts.reduce((sum, row) => sum + (row[index] ?? 0), 0);
  const cell = count == null ? '' : ` · ${bucketName(map.bounds, bucket, unit)}: ${formatNumber(count, 3)}`;
  const happened = plot ? eventsAt(plot, events).replaceAll('\n', ', ') : '';
  return `${formatTime(time * 1000, zone.peek())}${cell} · all: ${formatNumber(total, 3)}${happened && ` · ${happened}`}`;
}

function describe({ title, map, unit }: HeatmapChartProps): string {
  const totals = map.counts.map((row) => row.reduce<number>((sum, count) => sum + (count ?? 0), 0));
  const most = totals.indexOf(Math.max(...totals));
  return `${title}: heatmap of ${map.bounds.length} buckets; most observations fall in ${bucketName(map.bounds, most, unit) || 'none'}`;
}

function heatmapOptions(context: PlotContext, props: HeatmapChartProps, latest: () => Drawn): uPlot.Options {
  const colours = readColours();
  const base = baseOptions(context);
  const rows = props.map.bounds.length;
  const every = Math.max(1, Math.ceil((rows * 15) / (props.height - 40)));
  const splits = props.map.bounds.map((_, i) => i + 1).filter((i) => (rows - i) % every === 0);
  return {
    ...base,
    scales: { x: { time: true, auto: false }, y: { auto: false, range: [0, Math.max(rows, 1)] } },
    axes: [
      timeAxis(colours, context.zone),
      {
        ...valueAxis(colours, props.unit),
        splits: () => splits,
        values: () => splits.map((i) => boundText(props.map.bounds[i - 1], props.unit)),
        grid: { show: false },
      },
    ],
    series: [{}, { show: true, stroke: 'transparent', points: { show: false } }],
    hooks: { ...base.hooks, draw: [(self) => drawCells(self, latest(), colours), (self) => drawEvents(self, latest().events, colours)] },
  };
}

function boundText(bound: number | undefined, unit: string): string {
  return bound === undefined ? '' : bound === Infinity ? '∞' : formatValue(bound, unit);
}

function drawCells(self: uPlot, { map, step }: HeatmapChartProps, colours: Colours): void {
  const { ctx, bbox } = self;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.fillStyle = colours.accent;
  // A point of `increase` counts the step before it.
  const left = map.times.map((time) => Math.round(self.valToPos(time - step, 'x', true)));
  const right = map.times.map((time) => Math.round(self.valToPos(time, 'x', true)));
  map.counts.forEach((row, bucket) => {
    const top = Math.round(self.valToPos(bucket + 1, 'y', true));
    const bottom = Math.round(self.valToPos(bucket, 'y', true));
    row.forEach((count, i) => {
      if (!count) return;
      ctx.globalAlpha = shade(count, map.max);
      const [x0, x1] = [left[i] ?? 0, right[i] ?? 0];
      ctx.fillRect(x0, top, Math.max(1, x1 - x0), bottom - top - 1);
    });
  });
  ctx.restore();
}
