/** From histogram buckets over time to the cells of a heatmap. */

import type { NativeHistogram, RangeSeries, Sample } from './prometheus';

export interface Heatmap {
  /** Seconds since 1970, ascending. */
  times: number[];
  /** Upper bounds, ascending; the last may be +Infinity. */
  bounds: number[];
  /** counts[bucket][time]: observations in the bucket, null where nothing is known. */
  counts: (number | null)[][];
  /** The largest count. */
  max: number;
}

/**
 * Cells from series of native histograms, and from series with an `le` label, each the sum up to its bound: a cell is
 * the difference to the bound below.
 * Differences below zero (buckets scraped at different moments) count as zero. Series of one bound
 * (`le="1"` and `le="1.0"`) are added up; series without a readable `le` are left out. Of the empty buckets beyond
 * the lowest and the highest observation one is kept on each side.
 */
export function toHeatmap(series: readonly RangeSeries[], times: readonly number[]): Heatmap {
  const rows = new Map<number, (number | null)[]>();
  const index = new Map(times.map((time, i) => [Math.round(time * 1000), i]));
  for (const one of cumulative(series)) {
    const bound = parseBound(one.labels['le']);
    if (bound === null) continue;
    const row = rows.get(bound) ?? new Array<number | null>(times.length).fill(null);
    rows.set(bound, row);
    for (const [time, value] of one.samples) {
      const i = index.get(Math.round(time * 1000));
      if (i !== undefined && !Number.isNaN(value)) row[i] = (row[i] ?? 0) + value;
    }
  }
  const bounds = [...rows.keys()].sort((a, b) => a - b);
  let max = 0;
  let below: (number | null)[] | null = null;
  const counts = bounds.map((bound) => {
    const row = rows.get(bound) ?? [];
    const cells = row.map((value, i) => (value === null ? null : Math.max(0, value - (below?.[i] ?? 0))));
    for (const cell of cells) if (cell !== null && cell > max) max = cell;
    below = row;
    return cells;
  });
  const filled = counts.map((row) => row.some((count) => count !== null && count > 0));
  const from = Math.max(0, filled.indexOf(true) - 1);
  const to = Math.min(bounds.length, filled.lastIndexOf(true) + 2);
  return { times: [...times], bounds: bounds.slice(from, to), counts: counts.slice(from, to), max };
}

/**
 * Series of native histograms as series of counts up to each bound that any of them has, at each of their times: so
 * that buckets that became coarser in between, or stand in one series and not in another, still add up.
 */
function cumulative(series: readonly RangeSeries[]): RangeSeries[] {
  const native = series.flatMap((one) => one.histograms ?? []);
  const bounds = [...new Set(native.flatMap((histogram) => histogram.buckets.map(({ upper }) => upper)))].sort((a, b) => a - b);
  const byTime = new Map<number, NativeHistogram[]>();
  for (const histogram of native) byTime.set(histogram.time, [...(byTime.get(histogram.time) ?? []), histogram]);
  const upTo = (histograms: NativeHistogram[], bound: number): number => {
    const below = histograms.flatMap(({ buckets }) => buckets.filter(({ upper }) => upper <= bound));
    return below.reduce((sum, { count }) => sum + count, 0);
  };
  const rows = bounds.map((bound): RangeSeries => {
    const samples = [...byTime].map(([time, histograms]): Sample => [time, upTo(histograms, bound)]);
    return { labels: { le: String(bound) }, samples };
  });
  return [...series.filter((one) => !one.histograms), ...rows];
}

function parseBound(text: string | undefined): number | null {
  if (text === undefined) return null;
  if (/^\+?inf(inity)?$/i.test(text)) return Infinity;
  const bound = Number(text);
  return text.trim() === '' || Number.isNaN(bound) ? null : bound;
}

/** Share of full colour for a count: the square root lets rare slow requests be seen beside the many fast ones. */
export function shade(count: number, max: number): number {
  if (!(count > 0) || !(max > 0)) return 0;
  return Math.min(1, 0.12 + 0.88 * Math.sqrt(count / max));
}
