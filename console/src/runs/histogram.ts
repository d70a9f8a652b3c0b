/** Runs over time, counted by how they went. */

import type { Run } from '../resources';
import { toMillis } from '../time/clock';

/** From the ground up. */
export const OUTCOMES = ['completed', 'open', 'cancelled', 'failed'] as const;
export type Outcome = (typeof OUTCOMES)[number];

export interface Bin {
  /** Milliseconds since 1970; the end belongs to the next bin. */
  start: number;
  end: number;
  counts: Record<Outcome, number>;
}

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;
const STEPS = [1, 2, 5, 10, 30, 60, 180, 360, 720].map((minutes) => minutes * MINUTE).concat([1, 2, 7, 30, 90, 365].map((days) => days * DAY));
const MOST_BINS = 60;

export function outcomeOf(state: string): Outcome {
  if (state === 'completed' || state === 'cancelled') return state;
  return state === 'failed' || state === 'crashed' ? 'failed' : 'open';
}

/** Bins of one round width from the first run to the last, at most sixty; none without a run that has a time. */
export function binsOf(runs: readonly Pick<Run, 'state' | 'started'>[]): Bin[] {
  const timed = runs.map(({ state, started }) => ({ outcome: outcomeOf(state), ms: toMillis(started) })).filter(({ ms }) => Number.isFinite(ms));
  if (timed.length === 0) return [];
  let [first, last] = [Infinity, -Infinity];
  for (const { ms } of timed) [first, last] = [Math.min(first, ms), Math.max(last, ms)];
  const count = (step: number): number => Math.floor(last / step) - Math.floor(first / step) + 1;
  const step = STEPS.find((one) => count(one) <= MOST_BINS) ?? Math.ceil((last - first) / (MOST_BINS - 1) / DAY) * DAY;
  const begin = Math.floor(first / step);
  const bins = Array.from({ length: count(step) }, (_, i): Bin => ({ start: (begin + i) * step, end: (begin + i + 1) * step, counts: { completed: 0, open: 0, cancelled: 0, failed: 0 } }));
  for (const { outcome, ms } of timed) {
    const bin = bins[Math.floor(ms / step) - begin];
    if (bin) bin.counts[outcome] += 1;
  }
  return bins;
}

export const totalOf = ({ counts }: Bin): number => OUTCOMES.reduce((sum, outcome) => sum + counts[outcome], 0);
