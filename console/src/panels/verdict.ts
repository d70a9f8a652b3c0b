/** What a value means by the thresholds of its panel. */

import type { Threshold } from '../resources';

export type Verdict = 'good' | 'warn' | 'bad' | 'plain';

const MEANING: Record<Threshold['color'], Verdict> = { green: 'good', yellow: 'warn', red: 'bad' };

/** The colour of the highest threshold at or below the value. */
export function verdictOf(value: number, thresholds: readonly Threshold[] = []): Verdict {
  const from = (threshold: Threshold): number => threshold.value ?? -Infinity;
  const reached = thresholds.filter((threshold) => value >= from(threshold)).sort((a, b) => from(b) - from(a))[0];
  return reached ? MEANING[reached.color] : 'plain';
}

/** For those who do not see the colour. */
export const SPOKEN: Record<Verdict, string> = { good: 'good', warn: 'needs attention', bad: 'critical', plain: '' };
