/** Asks the questions of a panel for a window. */

import { gridOf, isZero, onGrid, toLines, type ChartLine } from '../chart/series';
import { toHeatmap, type Heatmap } from '../heatmap';
import { legendOf } from '../legend';
import { queryInstant, queryRange, type RangeSeries } from '../prometheus';
import type { Panel } from '../resources';
import { align, chooseStep, expandVariables, type Window } from '../time/range';

export interface Reading {
  label: string;
  value: number;
  history: (number | null)[];
}
export type PanelData = { window: Window; step: number; notes: string[] } & (
  | { kind: 'stat' | 'bar'; readings: Reading[]; limit: number | null; alarming: boolean }
  | { kind: 'timeseries'; times: number[]; lines: ChartLine[] }
  | { kind: 'heatmap'; times: number[]; map: Heatmap }
);

/** Points of the small line in a stat panel. */
const STAT_POINTS = 48;
/** Pixels a column of a heatmap should be wide. */
const HEATMAP_COLUMN = 9;

export async function fetchPanel(panel: Panel, view: Window, width: number, scrapeInterval: number, signal: AbortSignal): Promise<PanelData> {
  if (panel.kind === 'stat' || panel.kind === 'bar') return fetchReadings(panel, view, scrapeInterval, signal);
  const step = chooseStep(view, width, panel.kind === 'heatmap' ? scrapeInterval : 1, panel.kind === 'heatmap' ? HEATMAP_COLUMN : 3);
  const window = align(view, step);
  const times = gridOf(window, step);
  const answers = await Promise.all(
    panel.targets.map(async ({ expression, legend }) => {
      const expanded = expandVariables(expression, step, scrapeInterval, view);
      return { ...(await queryRange(expanded, window, step, signal)), legend, expression };
    }),
  );
  const notes = answers.flatMap((answer) => answer.notes);
  if (panel.kind === 'heatmap') {
    const map = toHeatmap(answers.flatMap((answer) => answer.series), times);
    return { kind: 'heatmap', window, step, notes, times, map };
  }
  const lines = panel.hide_zeros ? answers.map((answer) => ({ ...answer, series: answer.series.filter((series) => !isZero(series)) })) : answers;
  return { kind: 'timeseries', window, step, notes, times, lines: toLines(lines, times, step) };
}

async function fetchReadings(panel: Panel, view: Window, scrapeInterval: number, signal: AbortSignal): Promise<PanelData> {
  const step = Math.max(1, Math.round((view.end - view.start) / STAT_POINTS));
  const window = { start: view.end - step * STAT_POINTS, end: view.end };
  const notes: string[] = [];
  const readings = await Promise.all(
    panel.targets.map(async ({ expression, legend }): Promise<Reading[]> => {
      const expanded = expandVariables(expression, step, scrapeInterval, view);
      if (panel.kind === 'bar' || panel.unit === 'string') {
        const answer = await queryInstant(expanded, view.end, signal);
        notes.push(...answer.notes);
        if (answer.kind === 'scalar') return [{ label: legend, value: Number(answer.text), history: [] }];
        if (answer.kind !== 'vector') return [];
        return answer.samples.map(({ labels, value }) => ({ label: legendOf(legend, labels, expression), value, history: [] }));
      }
      const answer = await queryRange(expanded, window, step, signal);
      notes.push(...answer.notes);
      return answer.series.flatMap((series) => readingOf(series, legendOf(legend, series.labels, expression), window, step));
    }),
  );
  const [limit, alarm] = await Promise.all([panel.limit, panel.alarm].map((expression) => firstValue(expression, view.end, signal)));
  return { kind: panel.kind === 'bar' ? 'bar' : 'stat', window, step, notes, readings: readings.flat(), limit: limit ?? null, alarming: alarm != null && alarm !== 0 };
}

async function firstValue(expression: string | null | undefined, time: number, signal: AbortSignal): Promise<number | null> {
  const answer = expression ? await queryInstant(expression, time, signal) : null;
  return answer?.kind === 'vector' ? (answer.samples[0]?.value ?? null) : null;
}

/** The reading at the end of the window; a series that ended before it is not a reading of now. */
function readingOf(series: RangeSeries, label: string, window: Window, step: number): Reading[] {
  const last = series.samples.at(-1);
  if (!last || last[0] < window.end - step / 2) return [];
  return [{ label, value: last[1], history: onGrid(series, gridOf(window, step), step) }];
}
