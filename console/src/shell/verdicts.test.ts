import { expect, test } from 'vitest';
import { sayState, toneOf } from './verdicts';

test.each([
  ['RETRAINING_TRIGGERED', 'Retraining triggered', 'bad'],
  ['AwaitingConcurrencySlot', 'Awaiting concurrency slot', 'warn'],
  ['TimedOut', 'Timed out', 'bad'],
  ['NOT_WORSE', 'Not worse', 'plain'],
  ['completed', 'Completed', 'good'],
])('%s is said as %s', (state, said, tone) => {
  expect(sayState(state)).toBe(said);
  expect(toneOf(state)).toBe(tone);
});
