/** The tasks of a run as steps: each with its attempts, on the time from the first start to the last end. */

import type { Run, RunTask } from '../resources';
import { toMillis } from '../time/clock';

export interface Step {
  name: string;
  /** Oldest first; at least one. */
  attempts: RunTask[];
}

/** Milliseconds since 1970. */
export interface Extent {
  begin: number;
  end: number;
}

/** Tasks of one name are attempts of one step, unless they ran in the same attempt of the run: then they are as many steps. */
export function stepsOf(tasks: readonly RunTask[]): Step[] {
  const steps: Step[] = [];
  const byKey = new Map<string, Step>();
  const seen = new Map<string, number>();
  for (const task of tasks) {
    const inAttempt = `${task.attempt} ${task.name}`;
    const nth = seen.get(inAttempt) ?? 0;
    seen.set(inAttempt, nth + 1);
    const key = `${nth} ${task.name}`;
    const known = byKey.get(key);
    if (known) {
      known.attempts.push(task);
      continue;
    }
    const step = { name: task.name, attempts: [task] };
    byKey.set(key, step);
    steps.push(step);
  }
  return steps;
}

/** The attempt that says how the step stands. */
export function lastOf({ attempts }: Step): RunTask | undefined {
  return attempts.at(-1);
}

/** When an attempt ended; now while it runs. */
export function endOf(task: RunTask, now: number): number {
  const started = toMillis(task.started);
  return task.duration_ms == null ? Math.max(started, now) : started + task.duration_ms;
}

/** From the first step that began to the last that ended; null before the first. */
export function extentOf(run: Pick<Run, 'tasks'>, now: number): Extent | null {
  let [begin, end] = [Infinity, -Infinity];
  for (const task of run.tasks ?? []) {
    const started = toMillis(task.started);
    if (!Number.isFinite(started)) continue;
    begin = Math.min(begin, started);
    end = Math.max(end, endOf(task, now));
  }
  return Number.isFinite(begin) ? { begin, end: Math.max(end, begin + 1) } : null;
}

/** Left end and width of an attempt in hundredths of the extent, wide enough to be seen. */
export function placeOf(task: RunTask, { begin, end }: Extent, now: number): { left: number; width: number } {
  const share = (ms: number): number => Math.min(100, Math.max(0, ((ms - begin) / (end - begin)) * 100));
  const started = toMillis(task.started);
  if (!Number.isFinite(started)) return { left: 0, width: 0 };
  const left = Math.min(share(started), 99.6);
  return { left, width: Math.max(0.4, share(endOf(task, now)) - left) };
}
