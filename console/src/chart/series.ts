/** From the answers of range queries to the columns a chart draws. */

import { colourOf, legendOf, PALETTE } from '../legend';
import type { RangeSeries } from '../prometheus';
import type { Window } from '../time/range';

export interface ChartLine {
  label: string;
  /** Number of a series colour, or `good`, `warn`, `bad`. */
  colour: string;
  /** One value a time; null where there is none. */
  values: (number | null)[];
}

/** All moments a range query with these bounds answers for. */
export function gridOf(window: Window, step: number): number[] {
  const count = Math.floor((window.end - window.start) / step + 1e-9) + 1;
  return Array.from({ length: Math.max(count, 0) }, (_, i) => Math.round((window.start + i * step) * 1000) / 1000);
}

/** Values of one series on the grid; NaN and infinities cannot be drawn and count as missing. */
export function onGrid(series: RangeSeries, times: readonly number[], step: number): (number | null)[] {
  const values = new Array<number | null>(times.length).fill(null);
  const start = times[0] ?? 0;
  for (const [time, value] of series.samples) {
    const i = Math.round((time - start) / step);
    if (i >= 0 && i < values.length && Number.isFinite(value)) values[i] = value;
  }
  return values;
}

/** Lines of several queries with their legends, made unique; colours go on from query to query, and a meaning's colour is given once. */
export function toLines(
  answers: readonly { series: readonly RangeSeries[]; legend?: string; expression: string }[],
  times: readonly number[],
  step: number,
): ChartLine[] {
  const lines: ChartLine[] = [];
  const seen = new Map<string, number>();
  for (const { series, legend, expression } of answers) {
    for (const one of series) {
      const name = legendOf(legend, one.labels, expression);
      const count = (seen.get(name) ?? 0) + 1;
      seen.set(name, count);
      const label = count === 1 ? name : `${name} (${count})`;
      const colour = colourOf(label, lines.length);
      const taken = lines.some((line) => line.colour === colour);
      lines.push({ label, colour: taken ? String(lines.length % PALETTE) : colour, values: onGrid(one, times, step) });
    }
  }
  return lines;
}

/** Lines from the smallest sum to the largest: in a stack the large ones do not lift the small ones off the ground, and lines of zeros cover nothing. */
export function bySize(lines: readonly ChartLine[]): ChartLine[] {
  const size = (line: ChartLine): number => line.values.reduce<number>((sum, value) => sum + Math.abs(value ?? 0), 0);
  return [...lines].sort((a, b) => size(a) - size(b));
}

/** Sums from the first line up, for a stacked chart; a hidden line adds nothing, a moment without any value stays empty. */
export function stack(lines: readonly ChartLine[], hidden: ReadonlySet<string>): (number | null)[][] {
  let below: (number | null)[] | null = null;
  return lines.map((line) => {
    if (hidden.has(line.label)) return line.values.map(() => null);
    const sum: (number | null)[] = line.values.map((value, i) => {
      const base = below?.[i] ?? null;
      return value === null ? base : value + (base ?? 0);
    });
    below = sum;
    return sum;
  });
}

/** Which of the values at one moment is nearest to `at`; in a stack of sums the layer that `at` lies in. Null without any. */
export function nearest(values: readonly (number | null | undefined)[], at: number, stacked = false): number | null {
  const present = values.flatMap((value, i) => (value == null ? [] : [{ i, value }]));
  const above = stacked ? present.filter(({ value }) => value >= at) : [];
  const candidates = above.length ? above : present;
  let found = candidates[0];
  for (const one of candidates) if (found && Math.abs(one.value - at) < Math.abs(found.value - at)) found = one;
  return found?.i ?? null;
}

/** Whether a series is there but never leaves zero. */
export function isZero({ samples }: RangeSeries): boolean {
  return samples.every(([, value]) => value === 0);
}

/** The last value that is there, or null. */
export function lastValue(values: readonly (number | null)[]): number | null {
  for (let i = values.length - 1; i >= 0; i -= 1) {
    const value = values[i];
    if (value !== null && value !== undefined) return value;
  }
  return null;
}

/** Points without a neighbour, which a line cannot show. */
export function isolated(values: readonly (number | null | undefined)[]): number[] {
  const found: number[] = [];
  values.forEach((value, i) => {
    if (value != null && values[i - 1] == null && values[i + 1] == null) found.push(i);
  });
  return found;
}

/** Bounds of the value axis: zero is in it unless values are below, so are the marks; a constant gets room. */
export function valueRange(min: number | null, max: number | null, marks: readonly number[]): [number, number] {
  const low = Math.min(0, min ?? 0, ...marks);
  const high = Math.max(max ?? 0, ...marks);
  if (high <= low) return low === 0 ? [0, 1] : [low * 1.1, 0];
  const room = (high - low) * 0.06;
  return [low < 0 ? low - room : low, high + room];
}
