/** What is said of a run wherever it is shown. */

import { linkTo } from '../location';
import type { Run } from '../resources';
import { Chip } from '../shell/Chip';
import { sayState, toneOf } from '../shell/verdicts';
import { toMillis } from '../time/clock';
import { formatValue } from '../units';

/** The states of a run, in the order it meets them. */
export const STATES = ['scheduled', 'pending', 'running', 'paused', 'cancelling', 'completed', 'failed', 'cancelled', 'crashed'] as const;

/** Whether a process works on the run or soon will. */
export const isActive = (state: string): boolean => /^(scheduled|pending|running|cancelling)$/.test(state);
/** Whether nothing follows unless somebody retries it. */
export const hasEnded = (state: string): boolean => /^(completed|failed|cancelled|crashed)$/.test(state);
export const mayRetry = (state: string): boolean => hasEnded(state) && state !== 'completed';
export const mayCancel = (state: string): boolean => /^(scheduled|pending|running|paused)$/.test(state);

/** NaN while it runs. */
export function secondsOf({ started, ended }: Run): number {
  return (toMillis(ended) - toMillis(started)) / 1000;
}

export function took(run: Run): string {
  const seconds = secondsOf(run);
  return Number.isFinite(seconds) ? formatValue(seconds, 'seconds') : '–';
}

/** The outcome in the run's own words, where it has some. */
export function stateOf({ state, state_name: name }: Pick<Run, 'state' | 'state_name'>): string {
  return sayState(name === '' ? state : name);
}

/** The outcome, with its tone. */
export function StateChip({ run }: { run: Pick<Run, 'state' | 'state_name'> }) {
  const tone = toneOf(run.state_name);
  return <Chip tone={tone === 'plain' ? toneOf(run.state) : tone}>{stateOf(run)}</Chip>;
}

export function Message({ run }: { run: Run }) {
  return run.message ? <p class={toneOf(run.state) === 'bad' ? 'row-error' : 'after'}>{run.message}</p> : null;
}

/** The parameters that have a value; none where they are no object. */
export function parametersOf(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== null));
}

/** Parameters that have a value, as texts; a text that is no JSON is one without a name. */
export function pairsOf(value: unknown): [name: string, value: string][] {
  let pairs = value;
  if (typeof value === 'string') {
    try {
      pairs = JSON.parse(value);
    } catch {
      return [['', value]];
    }
  }
  return Object.entries(parametersOf(pairs)).map(([name, one]) => [name, typeof one === 'string' ? one : JSON.stringify(one)]);
}

export function Parameters({ value }: { value: unknown }) {
  return (
    <span class="labels">
      {pairsOf(value).map(([name, one]) => (
        <code key={name}>{name === '' ? one : `${name}=${one}`}</code>
      ))}
    </span>
  );
}

export function RunLink({ id }: { id: string | number }) {
  return <a href={linkTo(`runs/${id}`)}>Run {String(id).slice(0, 8)}</a>;
}
