import { expect, test } from 'vitest';
import { AUC, coverageOf, decidingOf, linesOf, newestOf, rangeOf, saySegment, sayUsual, stepOf, type Evaluation, type StoredEvaluation } from './evaluation';

function stored(id: number, version: number, period: string, auc: number | null, estimate = 0.85): StoredEvaluation {
  const measured = { rows: 100, labelled: 40, positives: 10, negatives: 30, confusion: null, metrics: { [AUC]: { value: auc, interval: auc === null ? null : { low: auc - 0.03, high: auc + 0.03 } } } };
  const evaluation: Evaluation = {
    version,
    period,
    trained_on: '2024-01-31',
    left_out: 0,
    realised: auc === null ? null : { measured, curve: [], calibration: [], histogram: [] },
    estimated: { estimated: { rows: 100, metrics: { [AUC]: { value: estimate, band: null, reason: null } } }, calibration: '' },
    validation: null,
    verdict: { decision: 'no_action', reason: '' },
  };
  return { id, model: 'churn', version, period, kind: auc === null ? 'estimated' : 'realised', at: '', run_id: null, evaluation };
}

test('labels replace an estimate of the same month, whichever came first', () => {
  const all = [stored(3, 1, '2024-03-31', null), stored(1, 1, '2024-02-29', null), stored(2, 1, '2024-02-29', 0.5), stored(5, 2, '2024-02-29', 0.8), stored(4, 1, '2024-01-31', 0.84)];
  expect(newestOf(all).map(({ id }) => id)).toEqual([4, 2, 5, 3]);
  expect(newestOf([...all].reverse()).map(({ id }) => id)).toEqual([4, 2, 5, 3]);
});

test('each version has a line of what was measured and one of what was estimated', () => {
  const lines = linesOf(newestOf([stored(1, 2, '2024-02-29', 0.8), stored(2, 1, '2024-02-29', 0.5), stored(3, 1, '2024-03-31', null)]));
  expect(lines.map(({ version, realised, estimated }) => [version, realised.length, estimated.length])).toEqual([
    [1, 1, 2],
    [2, 1, 1],
  ]);
  expect(lines[0]?.realised[0]?.interval).toEqual({ low: 0.47, high: 0.53 });
});

test.each([
  ['no point', [], [0.45, 0.65]],
  ['points and their intervals', [stored(1, 1, '2024-02-29', 0.43, 0.9)], [0.35, 0.95]],
  ['the ends', [stored(1, 1, '2024-02-29', 0.01, 1)], [0, 1]],
])('the range of %s', (_, all, expected) => {
  const [low, high] = rangeOf(linesOf(all), 'binary');
  expect([low, high].map((value) => Number(value.toFixed(4)))).toEqual(expected);
});

test('the coverage counts labels', () => {
  expect(coverageOf(stored(1, 1, 'x', 0.5).evaluation)).toEqual({ labelled: 40, rows: 100 });
  expect(coverageOf(stored(1, 1, 'x', null).evaluation)).toEqual({ labelled: 0, rows: 100 });
});

test('a slice is told by its conditions', () => {
  const conditions = [{ column: 'plan', level: 'basic' }, { column: 'hours', level: null }];
  expect(saySegment({ conditions, rows: 1, share: 0.1, mean_loss: 1, excess: 0.2, interval: null })).toBe('plan: basic, and hours: missing');
});

test('an error is drawn from 0, and more of it is worse', () => {
  const month = stored(1, 1, '2024-02-29', 0.5);
  const measured = { rows: 100, labelled: 40, positives: 0, negatives: 0, confusion: null, metrics: { rmse: { value: 12, interval: { low: 11, high: 13 } } } };
  const realised = { measured, curve: [], calibration: [], histogram: [] };
  const rmse: Evaluation = { ...month.evaluation, task: 'regression', realised, estimated: null, usual: { lower: null, upper: 9, months: 6, is_unusual: true } };
  const lines = linesOf([{ ...month, evaluation: rmse }]);
  expect(lines[0]?.realised[0]).toMatchObject({ value: 12, usual: 9 });
  expect(rangeOf(lines, 'regression')).toEqual([0, 15]);
  expect(sayUsual(rmse, String)).toBe('The RMSE lies above the 9 up to which it is usual: the mean of the 6 labelled months before and three standard deviations.');
  expect(decidingOf('multiclass').name).toBe('log_loss');
});

test.each([
  [0, 0.2],
  [1, 0.2],
  [13, 5],
  [1200, 500],
])('ticks up to %s are %s apart', (largest, step) => {
  expect(stepOf(largest)).toBeCloseTo(step);
});
