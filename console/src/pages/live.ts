/** What the page Live shows of what the server says. */

import type { LiveColumn, LiveDrift, LiveStatistic, LiveVersion, LiveWindow } from '../resources';

/** A column in the window that is shown. */
export interface Row {
  column: LiveColumn;
  drift: LiveDrift;
  /** `Drifted`, `No drift`, or `Not judged`. */
  state: string;
}

/** Drifted ones first, then by how far each is from where it would be large. */
export function rowsOf(version: LiveVersion, window: LiveWindow): Row[] {
  const rows = version.columns.flatMap((column, i): Row[] => {
    const drift = window.columns[i];
    if (!drift) return [];
    const state = drift.detected_since != null ? 'Drifted' : drift.statistics.length > 0 ? 'No drift' : 'Not judged';
    return [{ column, drift, state }];
  });
  const weight = ({ drift }: Row): number => (drift.detected_since != null ? 1e6 : 0) + (strongest(drift)?.ratio ?? 0);
  return rows.sort((a, b) => weight(b) - weight(a));
}

/** The statistic that is nearest to an alarm: one that has drifted, else the largest for its gate. */
export function strongest(drift: LiveDrift): { statistic: LiveStatistic; ratio: number } | null {
  let best: { statistic: LiveStatistic; ratio: number; weight: number } | null = null;
  for (const statistic of drift.statistics) {
    const ratio = Math.abs(statistic.effect) / statistic.gate;
    const weight = ratio + (statistic.detected_since != null ? 1e6 : 0);
    if (best === null || weight > best.weight) best = { statistic, ratio, weight };
  }
  return best;
}

/** The window that was asked for; else the shortest that is judged, or the shortest. */
export function shownWindow(version: LiveVersion, asked: string | null): LiveWindow {
  const named = version.windows.find((window) => window.window === asked);
  const shown = named ?? version.windows.find((window) => window.is_enough) ?? version.windows[0];
  if (!shown) throw new Error('a version without windows is not shown');
  return shown;
}

const SPANS: Record<string, string> = { '15m': '15 minutes', '1h': '1 hour', '6h': '6 hours', '24h': '24 hours' };

export const spanOf = (window: string): string => SPANS[window] ?? window;

export function againstOf(basis: string): string {
  if (basis === 'same_clock_time') return 'against the same clock time of the last seven days';
  return basis === 'warming_up' ? 'against training, warming up' : 'against training';
}

/** Shares of a sum; none of nothing. */
export function sharesOf(counts: readonly number[]): number[] {
  const sum = counts.reduce((all, count) => all + count, 0);
  return counts.map((count) => (sum > 0 ? count / sum : 0));
}
