/** Which tone a state has, whatever part of StreamFlow it comes from. */

import type { Tone } from './Chip';

const TONES: readonly (readonly [RegExp, Tone])[] = [
  [/^(up|completed|succeeded|success|ok|passed|no_action|production|inactive)$/i, 'good'],
  [/^(running|pending|scheduled|retrying|awaiting.*|late|unknown|cancel.*)$/i, 'warn'],
  [/^(down|failed|crashed|firing|err|error|retraining_triggered)$/i, 'bad'],
];

export function toneOf(state: string): Tone {
  return TONES.find(([pattern]) => pattern.test(state))?.[1] ?? 'plain';
}

/** `RETRAINING_TRIGGERED` as `Retraining triggered`. */
export function sayState(state: string): string {
  const text = state.replace(/_/g, ' ').toLowerCase();
  return text.charAt(0).toUpperCase() + text.slice(1);
}
