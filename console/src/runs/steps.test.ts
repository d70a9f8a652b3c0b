import { expect, test } from 'vitest';
import type { RunTask } from '../resources';
import { extentOf, lastOf, placeOf, stepsOf } from './steps';

const task = (name: string, attempt: number, second: number, duration_ms: number | null = 1000): RunTask => ({
  name,
  attempt,
  state: duration_ms === null ? 'running' : 'completed',
  started: new Date(second * 1000).toISOString(),
  state_name: '',
  error: '',
  duration_ms,
});

test.each([
  ['no task', [], []],
  ['a step that was tried again', [task('read', 1, 0), task('fit', 1, 1), task('fit', 2, 9)], [['read', 1], ['fit', 2]]],
  ['a name twice in one attempt', [task('read', 1, 0), task('read', 1, 1), task('read', 2, 5)], [['read', 2], ['read', 1]]],
])('%s', (_, tasks, expected) => expect(stepsOf(tasks).map(({ name, attempts }) => [name, attempts.length])).toEqual(expected));

test('the last attempt says how a step stands', () => {
  const [step] = stepsOf([task('fit', 1, 1), task('fit', 2, 9, null)]);
  expect(step && lastOf(step)?.state).toBe('running');
});

const waiting = { ...task('x', 1, 0), state: 'scheduled', started: '' };

test('bars lie on the time of the run, what runs reaches to now', () => {
  const tasks = [task('read', 1, 100, 10_000), task('fit', 1, 110, null)];
  const now = 140_000;
  const extent = extentOf({ tasks }, now);
  expect(extent).toEqual({ begin: 100_000, end: 140_000 });
  expect(extent && tasks.map((one) => placeOf(one, extent, now))).toEqual([{ left: 0, width: 25 }, { left: 25, width: 75 }]);
  expect(extentOf({ tasks: [waiting] }, now)).toBeNull();
  expect(extent && placeOf(waiting, extent, now)).toEqual({ left: 0, width: 0 });
});

test('ten thousand steps are grouped at once', () => {
  const tasks = Array.from({ length: 10_000 }, (_, i) => task(`step ${i}`, 1, i));
  expect(stepsOf(tasks)).toHaveLength(10_000);
  expect(extentOf({ tasks }, 0)).toEqual({ begin: 0, end: 10_000_000 });
});
