/** What every chart over time shares: axes in the page's colours, crosshair, zoom by drag, pan with Shift or the wheel. */

import uPlot from 'uplot';
import { formatClock, formatTime, type Zone } from '../time/clock';
import { scale, shift, type Window } from '../time/range';
import { formatTicks } from '../units';

export interface PlotContext {
  width: number;
  height: number;
  zone: Zone;
  /** Charts of one key share their crosshair. */
  syncKey?: string | undefined;
  onZoom: (window: Window) => void;
  /** Index of the hovered point, null when the pointer is elsewhere. */
  onCursor: (index: number | null, self: uPlot) => void;
}

export interface Colours {
  ink: string;
  muted: string;
  line: string;
  panel: string;
  accent: string;
  of: (name: string) => string;
}

/** The colours in force, from the style sheet. */
export function readColours(): Colours {
  const style = getComputedStyle(document.documentElement);
  const read = (name: string): string => style.getPropertyValue(name).trim();
  return {
    ink: read('--ink'),
    muted: read('--muted'),
    line: read('--line'),
    panel: read('--panel'),
    accent: read('--accent'),
    of: (name) => read(/^\d+$/.test(name) ? `--series-${name}` : `--${name}`),
  };
}

export const FONT = '11px system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif';

const DAY = 86400;

function timeTexts(zone: Zone): uPlot.Axis.DynamicValues {
  return (_, splits, _axis, _space, increment) =>
    splits.map((time) => {
      if (increment >= DAY) return formatTime(time * 1000, zone).slice(5, 10);
      const clock = formatClock(time * 1000, zone);
      if (clock === '00:00:00') return formatTime(time * 1000, zone).slice(5, 10);
      return increment >= 60 ? clock.slice(0, 5) : clock;
    });
}

/** Width of the axis: its longest text, which differs from unit to unit. */
function axisSize(self: uPlot, values: string[] | null): number {
  if (!values?.length) return 40;
  self.ctx.save();
  self.ctx.font = FONT;
  const longest = Math.max(...values.map((text) => self.ctx.measureText(text).width));
  self.ctx.restore();
  return Math.ceil(longest) + 14;
}

export function timeAxis(colours: Colours, zone: Zone): uPlot.Axis {
  return {
    stroke: colours.muted,
    font: FONT,
    space: (_self, _axis, min, max, width) => (((max - min) * 52) / width < 60 ? 76 : 52),
    size: 22,
    gap: 4,
    values: timeTexts(zone),
    grid: { stroke: colours.line, width: 1 },
    ticks: { show: false },
  };
}

const BINARY_STEPS = Array.from({ length: 60 }, (_, power) => 2 ** power);

export function valueAxis(colours: Colours, unit: string): uPlot.Axis {
  return {
    stroke: colours.muted,
    font: FONT,
    space: 34,
    size: axisSize,
    gap: 6,
    values: (_, splits) => formatTicks(splits, unit),
    grid: { stroke: colours.line, width: 1 },
    ticks: { show: false },
    ...(unit === 'bytes' || unit === 'Bps' ? { incrs: BINARY_STEPS } : {}),
  };
}

/** Options without series, axes and hooks of drawing. */
export function baseOptions(context: PlotContext): Omit<uPlot.Options, 'series'> {
  const gestures = new Gestures(context.onZoom);
  return {
    width: context.width,
    height: context.height,
    legend: { show: false },
    padding: [8, 16, 0, 0],
    tzDate: (time) => (context.zone === 'utc' ? uPlot.tzDate(new Date(time * 1000), 'Etc/UTC') : new Date(time * 1000)),
    cursor: {
      y: false,
      drag: { x: true, y: false, setScale: false },
      ...(context.syncKey ? { sync: { key: context.syncKey, setSeries: false, scales: ['x', null] as [string, null] } } : {}),
      bind: {
        mousedown: (self, _target, handler) => (event) => {
          if (event.shiftKey && event.button === 0) gestures.startPan(self, event);
          else handler(event);
          return null;
        },
        dblclick: (self) => () => {
          const { min, max } = self.scales['x'] ?? {};
          if (min != null && max != null) context.onZoom(scale({ start: min, end: max }, 2));
          return null;
        },
      },
    },
    hooks: {
      ready: [(self) => gestures.listenToWheel(self)],
      setSelect: [(self) => gestures.zoom(self)],
      setCursor: [(self) => context.onCursor(self.cursor.idx ?? null, self)],
    },
  };
}

/** A drag selects a window; with Shift, or by a sideways wheel, the chart moves under the pointer and is asked anew when let go. */
class Gestures {
  private frame = 0;
  private wheelEnd = 0;

  constructor(private readonly onZoom: (window: Window) => void) {}

  zoom(self: uPlot): void {
    const { left, width } = self.select;
    if (width < 4) return;
    const window = { start: self.posToVal(left, 'x'), end: self.posToVal(left + width, 'x') };
    self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    if (window.end - window.start >= 1) this.onZoom(window);
  }

  startPan(self: uPlot, down: MouseEvent): void {
    const from = currentWindow(self);
    if (!from) return;
    const secondsPerPixel = (from.end - from.start) / self.over.clientWidth;
    let to = from;
    const move = (event: MouseEvent): void => {
      const by = (down.clientX - event.clientX) * secondsPerPixel;
      to = { start: from.start + by, end: from.end + by };
      this.show(self, to);
    };
    const up = (): void => {
      document.removeEventListener('mousemove', move);
      document.removeEventListener('mouseup', up);
      self.root.classList.remove('panning');
      if (to !== from) this.onZoom(to);
    };
    self.root.classList.add('panning');
    document.addEventListener('mousemove', move);
    document.addEventListener('mouseup', up);
  }

  listenToWheel(self: uPlot): void {
    self.over.addEventListener(
      'wheel',
      (event) => {
        const window = currentWindow(self);
        if (!window || Math.abs(event.deltaX) <= Math.abs(event.deltaY)) return;
        event.preventDefault();
        const to = shift(window, event.deltaX / self.over.clientWidth);
        self.root.classList.add('panning');
        this.show(self, to);
        clearTimeout(this.wheelEnd);
        this.wheelEnd = setTimeout(() => {
          self.root.classList.remove('panning');
          this.onZoom(to);
        }, 300) as unknown as number;
      },
      { passive: false },
    );
  }

  /** At most one repaint a frame, however many events come. */
  private show(self: uPlot, window: Window): void {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => self.setScale('x', { min: window.start, max: window.end }));
  }
}

function currentWindow(self: uPlot): Window | null {
  const { min, max } = self.scales['x'] ?? {};
  return min == null || max == null ? null : { start: min, end: max };
}

/** Shows the data in its window; a chart that is being moved keeps its place. */
export function showData(self: uPlot, data: uPlot.AlignedData, window: Window): void {
  const place = self.root.classList.contains('panning') ? currentWindow(self) : null;
  const shown = place ?? window;
  self.batch(() => {
    self.setData(data, false);
    self.setScale('x', { min: shown.start, max: shown.end });
  });
}
