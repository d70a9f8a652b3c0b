/** Lines over time with a legend of last values, which follows the crosshair. */

import { useContext, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { paint, zone } from '../preferences';
import { formatTime } from '../time/clock';
import type { Window } from '../time/range';
import { counted, formatWithin, type Bounds } from '../units';
import { drawEvents, Events, eventsAt, type ChartEvent } from './events';
import { baseOptions, FONT, readColours, timeAxis, valueAxis, type Colours, type PlotContext } from './plot';
import { bySize, isolated, lastValue, nearest, stack, valueRange, type ChartLine } from './series';
import { chartKeys, usePlot } from './usePlot';

export interface Mark {
  value: number;
  label: string;
  colour: string;
}

export interface TimeChartProps {
  title: string;
  times: number[];
  lines: ChartLine[];
  unit: string;
  window: Window;
  height: number;
  stacked?: boolean;
  marks?: Mark[];
  bounds?: Bounds | null;
  syncKey?: string;
  onZoom: (window: Window) => void;
}

export function TimeChart(props: TimeChartProps) {
  const { times, lines, unit, stacked = false, marks = [] } = props;
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const readout = useRef<HTMLDivElement>(null);
  const events = useContext(Events);
  const latest = useRef({ ...props, events });
  latest.current = { ...props, events };

  const drawn = useMemo(() => (stacked ? bySize(lines) : lines), [lines, stacked]);
  const data = useMemo<uPlot.AlignedData>(
    () => [times, ...(stacked ? stack(drawn, hidden) : drawn.map((line) => line.values))],
    [times, drawn, stacked, hidden],
  );
  const shape = [drawn.map((line) => line.label + line.colour).join('\n'), unit, stacked, [...hidden].join('\n'), JSON.stringify(marks), paint.value, zone.value, props.height];
  const makeOptions = (width: number): uPlot.Options => {
    const context: PlotContext = {
      width,
      height: props.height,
      zone: zone.value,
      syncKey: props.syncKey,
      onZoom: (window) => latest.current.onZoom(window),
      onCursor: (index, self) => {
        writeReadout(readout.current, latest.current, index);
        nameNearest(readout.current, latest.current, drawn, self);
        nameEvents(readout.current, latest.current.events, self);
      },
    };
    return chartOptions(context, { ...props, lines: drawn }, hidden, () => latest.current.events);
  };
  const { box, plot } = usePlot(shape, makeOptions, data, props.window);
  useEffect(() => plot.current?.redraw(false), [events]);

  return (
    <div class="chart" ref={readout}>
      <span class="legend-time" aria-hidden="true" />
      <p class="chart-tip" aria-hidden="true" hidden>
        <i class="swatch" /> <span /> <b />
      </p>
      <p class="event-tip" role="status" hidden />
      <div
        ref={box}
        class="plot"
        role="img"
        tabIndex={0}
        aria-label={describe(props, events.length)}
        onKeyDown={chartKeys(plot, props.onZoom)}
        onBlur={() => plot.current?.setCursor({ left: -10, top: -10 })}
      />
      <div class="legend">
        {lines.map((line) => (
          <button
            key={line.label}
            type="button"
            class="legend-item"
            aria-pressed={!hidden.has(line.label)}
            title={line.label}
            onClick={() => setHidden(isolate(lines, hidden, line.label))}
            onMouseEnter={() => focusSeries(plot.current, drawn.indexOf(line) + 1)}
            onMouseLeave={() => focusSeries(plot.current, null)}
          >
            <i class={`swatch c-${line.colour}`} />
            <span class="legend-label">{line.label}</span>
            <b class="legend-value">{formatWithin(lastValue(line.values), unit, props.bounds)}</b>
          </button>
        ))}
      </div>
    </div>
  );
}

/** A click shows one series alone; another click on it shows all again. */
function isolate(lines: readonly ChartLine[], hidden: ReadonlySet<string>, label: string): ReadonlySet<string> {
  const others = lines.map((line) => line.label).filter((other) => other !== label);
  const alone = !hidden.has(label) && others.length > 0 && others.every((other) => hidden.has(other));
  return new Set(alone ? [] : others);
}

function focusSeries(plot: uPlot | null, index: number | null): void {
  plot?.setSeries(index, { focus: index !== null }, false);
}

/** Written straight into the page: a crosshair moves sixty times a second, over all charts at once. */
function writeReadout(element: HTMLElement | null, props: TimeChartProps, index: number | null): void {
  if (!element) return;
  const time = index === null ? undefined : props.times[index];
  const clock = element.querySelector('.legend-time');
  if (clock) clock.textContent = time === undefined ? '' : formatTime(time * 1000, zone.peek());
  element.querySelectorAll('.legend-value').forEach((value, i) => {
    const values = props.lines[i]?.values ?? [];
    value.textContent = formatWithin(index === null ? lastValue(values) : values[index], props.unit, props.bounds);
  });
}

/** Names the line next to the pointer, beside it; on the chart that is pointed at, not on those that share its crosshair. */
function nameNearest(element: HTMLElement | null, props: TimeChartProps, drawn: readonly ChartLine[], self: uPlot): void {
  const tip = element?.querySelector<HTMLElement>('.chart-tip');
  if (!element || !tip) return;
  const { idx, left = -1, top = -1 } = self.cursor;
  const here = idx != null && left >= 0 && (self.over.matches(':hover') || element.contains(document.activeElement));
  const sums = here ? self.series.map((series, i) => (i > 0 && series.show ? self.data[i]?.[idx] : null)) : [];
  const found = nearest(sums, self.posToVal(top, 'y'), props.stacked);
  const line = found === null ? undefined : drawn[found - 1];
  tip.hidden = !line;
  element.querySelectorAll('.legend-item').forEach((item, i) => item.classList.toggle('near', line !== undefined && props.lines[i] === line));
  if (!line || idx == null) return;
  const [swatch, name, value] = tip.children;
  if (swatch) swatch.className = `swatch c-${line.colour}`;
  if (name) name.textContent = line.label;
  if (value) value.textContent = formatWithin(line.values[idx], props.unit, props.bounds);
  const x = left + self.over.offsetLeft;
  const onLeft = left > self.over.clientWidth / 2;
  tip.style.left = onLeft ? '' : `${x + 14}px`;
  tip.style.right = onLeft ? `${element.clientWidth - x + 14}px` : '';
  tip.style.maxWidth = `${Math.max(120, (onLeft ? x : element.clientWidth - x) - 18)}px`;
  tip.style.top = `${Math.max(0, top - 12)}px`;
}

/** Says what happened at the crosshair, above the chart; on the chart that is pointed at alone. */
function nameEvents(element: HTMLElement | null, events: readonly ChartEvent[], self: uPlot): void {
  const tip = element?.querySelector<HTMLElement>('.event-tip');
  if (!element || !tip) return;
  const here = self.over.matches(':hover') || element.contains(document.activeElement);
  const text = here ? eventsAt(self, events) : '';
  if (tip.textContent !== text) tip.textContent = text;
  tip.hidden = text === '';
  const x = (self.cursor.left ?? 0) + self.over.offsetLeft;
  const onLeft = x > element.clientWidth / 2;
  tip.style.left = onLeft ? '' : `${x + 8}px`;
  tip.style.right = onLeft ? `${element.clientWidth - x + 8}px` : '';
}

function describe({ title, lines, unit, bounds }: TimeChartProps, events: number): string {
  const shown = lines.slice(0, 5).map((line) => `${line.label} ${formatWithin(lastValue(line.values), unit, bounds)}`);
  const more = lines.length > 5 ? `, and ${lines.length - 5} more` : '';
  return `${title}: chart of ${lines.length} series, latest values ${shown.join(', ')}${more}${events > 0 ? `; ${counted(events, 'mark')} of promotions, ingests and decisions` : ''}`;
}

function chartOptions(context: PlotContext, props: TimeChartProps, hidden: ReadonlySet<string>, events: () => readonly ChartEvent[]): uPlot.Options {
  const { lines, unit, stacked = false, marks = [] } = props;
  const colours = readColours();
  const base = baseOptions(context);
  const single = lines.length - hidden.size === 1;
  return {
    ...base,
    focus: { alpha: 0.25 },
    scales: { x: { time: true, auto: false }, y: { range: (_, min, max) => valueRange(min, max, marks.map((mark) => mark.value)) } },
    axes: [timeAxis(colours, context.zone), valueAxis(colours, unit)],
    series: [{}, ...lines.map((line) => lineOptions(line, colours, { filled: stacked || single, hidden: hidden.has(line.label) }))],
    ...(stacked ? { bands: lines.slice(1).map((_, i) => ({ series: [i + 2, i + 1] as [number, number] })) } : {}),
    hooks: {
      ...base.hooks,
      draw: [
        (self) => {
          drawMarks(self, marks, colours);
          drawEvents(self, events(), colours);
        },
      ],
    },
  };
}

function lineOptions(line: ChartLine, colours: Colours, look: { filled: boolean; hidden: boolean }): uPlot.Series {
  const colour = colours.of(line.colour);
  return {
    label: line.label,
    show: !look.hidden,
    stroke: colour,
    width: 1.5,
    ...(look.filled ? { fill: `${colour}26` } : {}),
    points: { show: true, size: 4, width: 0, fill: colour, filter: (self, index) => isolated((self.data[index] ?? []) as (number | null)[]) },
  };
}

function drawMarks(self: uPlot, marks: readonly Mark[], colours: Colours): void {
  const { ctx, bbox } = self;
  const ratio = uPlot.pxRatio;
  ctx.save();
  ctx.font = FONT.replace('11px', `${11 * ratio}px`);
  ctx.textAlign = 'right';
  ctx.textBaseline = 'bottom';
  ctx.lineWidth = ratio;
  for (const mark of marks) {
    const y = Math.round(self.valToPos(mark.value, 'y', true));
    if (y < bbox.top || y > bbox.top + bbox.height) continue;
    ctx.strokeStyle = ctx.fillStyle = colours.of(mark.colour) || colours.muted;
    ctx.setLineDash([4 * ratio, 4 * ratio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.fillText(mark.label, bbox.left + bbox.width - 2 * ratio, y - 2 * ratio);
  }
  ctx.restore();
}
