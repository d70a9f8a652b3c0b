/** Which tone a state has, whatever part of StreamFlow it comes from. */

import type { Tone } from './Chip';

const TONES: readonly (readonly [RegExp, Tone])[] = [
  [/^(up|completed|succeeded|success|ok|passed|no_action|production|inactive|promoted|better|first_version|approved)$/i, 'good'],
  [/^(running|pending|scheduled|retrying|resuming|awaiting.*|late|unknown|cancel.*|paused|suspended|skipped|undecided)$/i, 'warn'],
  [/^(down|failed|timedout|crashed|firing|err|error|retraining_triggered|fallen|rejected)$/i, 'bad'],
];

export function toneOf(state: string): Tone {
  return TONES.find(([pattern]) => pattern.test(state))?.[1] ?? 'plain';
}

/** `RETRAINING_TRIGGERED` as `Retraining triggered`, `AwaitingRetry` as `Awaiting retry`. */
export function sayState(state: string): string {
  const text = state.replace(/([a-z])([A-Z])/g, '$1 $2').replace(/_/g, ' ').toLowerCase();
  return text.charAt(0).toUpperCase() + text.slice(1);
}
