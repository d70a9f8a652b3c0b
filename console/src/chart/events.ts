/** What happened to data and model, as vertical marks on charts over time. */

import { createContext } from 'preact';
import { useMemo } from 'preact/hooks';
import uPlot from 'uplot';
import { fetchAnnotations, type Annotation } from '../resources';
import { useResource } from '../resource';
import { toMillis } from '../time/clock';
import type { Window } from '../time/range';
import { ticks } from '../time/view';
import type { Colours } from './plot';

export interface ChartEvent {
  /** Seconds since 1970. */
  time: number;
  kind: Annotation['kind'];
  text: string;
}

/** The events of the charts below. */
export const Events = createContext<readonly ChartEvent[]>([]);

const NONE: readonly ChartEvent[] = [];

/** The events of a window; none while they are not known, since a chart is right without them. */
export function useEvents({ start, end }: Window): readonly ChartEvent[] {
  const { data } = useResource(async (signal) => toEvents(await fetchAnnotations(start, end, signal)), [start, end, ticks.value]);
  // The same events are the same value, or every refresh would draw every chart anew.
  return useMemo(() => data ?? NONE, [JSON.stringify(data)]);
}

export function toEvents(annotations: readonly Annotation[]): ChartEvent[] {
  return annotations.map(({ at, kind, text }) => ({ time: toMillis(at) / 1000, kind, text })).filter(({ time }) => Number.isFinite(time));
}

/** Texts that are named at once. */
const MOST_TEXTS = 4;

/** The events within `reach` seconds of a moment in words; empty without any. */
export function eventsNear(events: readonly ChartEvent[], time: number, reach: number): string {
  const near = events.filter((event) => Math.abs(event.time - time) <= reach).sort((a, b) => Math.abs(a.time - time) - Math.abs(b.time - time));
  const more = near.length > MOST_TEXTS ? [`and ${near.length - MOST_TEXTS} more`] : [];
  return [...near.slice(0, MOST_TEXTS).map(({ text }) => text), ...more].join('\n');
}

/** Pixels beside a mark in which the pointer is on it. */
const REACH_PX = 6;

/** The events at the crosshair; by keys it moves from point to point, so that an event between two is reached from both. */
export function eventsAt(self: uPlot, events: readonly ChartEvent[]): string {
  const { left, idx } = self.cursor;
  if (left == null || left < 0) return '';
  const times = self.data[0];
  const step = idx == null || self.over.matches(':hover') ? 0 : ((times[idx] ?? 0) - (times[idx - 1] ?? times[idx] ?? 0)) / 2;
  const reach = self.posToVal(left + REACH_PX, 'x') - self.posToVal(left, 'x');
  return eventsNear(events, self.posToVal(left, 'x'), Math.max(reach, step));
}

const COLOURS: Record<ChartEvent['kind'], string> = { promotion: 'accent', ingest: 'muted', decision: 'warn', live_drift: 'bad' };

/** A dashed line with a mark on its head for each event in sight. */
export function drawEvents(self: uPlot, events: readonly ChartEvent[], colours: Colours): void {
  const { ctx, bbox } = self;
  const ratio = uPlot.pxRatio;
  ctx.save();
  ctx.lineWidth = ratio;
  for (const { time, kind } of events) {
    const x = Math.round(self.valToPos(time, 'x', true)) + ratio / 2;
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.strokeStyle = ctx.fillStyle = colours.of(COLOURS[kind]);
    ctx.setLineDash([2 * ratio, 3 * ratio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.beginPath();
    ctx.moveTo(x - 4 * ratio, bbox.top);
    ctx.lineTo(x + 4 * ratio, bbox.top);
    ctx.lineTo(x, bbox.top + 6 * ratio);
    ctx.fill();
  }
  ctx.restore();
}
