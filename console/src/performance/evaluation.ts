/** How right versions of the model were on months: the shapes of the resource, and what pages make of them. */

export interface Interval {
  low: number;
  high: number;
}
export interface MeasuredValue {
  value: number | null;
  interval: Interval | null;
}
export interface EstimatedValue {
  value: number | null;
  band: Interval | null;
  /** Why there is no value. */
  reason: string | null;
}
export interface Confusion {
  true_positive: number;
  true_negative: number;
  false_positive: number;
  false_negative: number;
}
export interface OperatingPoint {
  threshold: number | null;
  true_positive_rate: number;
  false_positive_rate: number;
  precision: number | null;
}
export interface CalibrationBin {
  rows: number;
  mean_score: number;
  positive_rate: number;
  interval: Interval | null;
}
export interface ScoreBin {
  low: number;
  high: number;
  positives: number;
  negatives: number;
}

/** A slice of rows whose loss is higher than that of all others. */
export interface Segment {
  conditions: { column: string; level: string | null }[];
  rows: number;
  share: number;
  mean_loss: number;
  excess: number;
  interval: Interval | null;
}
export interface Segments {
  mean_loss: number | null;
  tested: number;
  worst: Segment[];
}

/** What a model predicts. */
export type Task = 'binary' | 'multiclass' | 'regression';

/** One class against all others. */
export interface ClassRow {
  rows: number;
  precision: number | null;
  recall: number | null;
  f1: number | null;
  roc_auc: number | null;
}
/** The classes of a month; those that the version does not know come last. */
export interface ClassTable {
  names: string[];
  known: number;
  classes: ClassRow[];
  confusion: number[][];
}
/** The errors of a regression on a month. */
export interface ErrorDrawings {
  errors: { low: number; high: number; rows: number }[];
  deciles: { rows: number; mean_prediction: number; mean_truth: number }[];
}

/** How right a version was on a month. */
export interface Evaluation {
  version: number;
  /** None of evaluations that were kept before there were other tasks. */
  task?: Task;
  trained_on: string;
  /** Whether it was imported and may have been trained on these rows. */
  may_know?: boolean;
  period: string;
  left_out: number;
  /** What the labels say; null where the month has none. */
  realised: {
    measured: { rows: number; labelled: number; positives: number; negatives: number; confusion: Confusion | null; metrics: Record<string, MeasuredValue> };
    curve: OperatingPoint[];
    calibration: CalibrationBin[];
    histogram: ScoreBin[];
    /** What there is of a task that has not two classes. */
    details?: { multiclass?: ClassTable; regression?: ErrorDrawings } | null;
  } | null;
  /** What the scores alone suggest. */
  estimated: { estimated: { rows: number; metrics: Record<string, EstimatedValue> }; calibration: string } | null;
  /** What the version promised. */
  validation: { value: number; interval: Interval } | null;
  verdict: { decision: 'fallen' | 'no_action' | 'undecided'; reason: string };
  /** Where it is most wrong; null without labels. */
  segments?: Segments | null;
  /** Why it fell. */
  why?: { sentence: string } | null;
  /** From which value of the deciding metric on the month is usual; null without six labelled months before. */
  usual?: { lower?: number | null; upper?: number | null; months: number; is_unusual?: boolean; is_below?: boolean } | null;
}
export interface StoredEvaluation {
  id: number;
  model: string;
  version: number;
  period: string;
  kind: 'realised' | 'estimated';
  at: string;
  run_id: number | null;
  evaluation: Evaluation;
}

export interface PairedLoss {
  difference: number;
  p_two_sided: number | null;
  interval: Interval | null;
}
/** A candidate held against production on the same rows. */
export interface PromotionReport {
  rows: number;
  used: number;
  unlabelled: number;
  unscored: number;
  promotion: 'better' | 'not_worse' | 'undecided' | 'worse';
  reason: string;
  rows_needed: number | null;
  auc: { production: number; candidate: number; difference: number; p_two_sided: number | null; interval: Interval | null } | null;
  /** Null of a regression. */
  mcnemar: { both_right: number; only_production: number; only_candidate: number; none_right: number; p_value: number; accuracy_difference: number | null; interval: Interval | null } | null;
  log_loss: PairedLoss | null;
  brier: PairedLoss | null;
  /** The error that decides where no AUC does. */
  loss?: { metric: 'rmse' | 'log_loss'; production: number; candidate: number; difference: number; interval: Interval | null; paired: PairedLoss } | null;
}

export const AUC = 'roc_auc';

interface Metric {
  name: string;
  title: string;
  about: string;
}

/** Metrics of two classes in the order they are shown, in the field's words. */
const BINARY: readonly Metric[] = [
  { name: AUC, title: 'AUC', about: 'area under the ROC curve: a positive row scores above a negative one' },
  { name: 'average_precision', title: 'Average precision', about: 'mean precision over the recall reached' },
  { name: 'f1', title: 'F1', about: 'harmonic mean of precision and recall' },
  { name: 'precision', title: 'Precision', about: 'share of positive predictions that are right' },
  { name: 'recall', title: 'Recall', about: 'share of positive rows that are found' },
  { name: 'specificity', title: 'Specificity', about: 'share of negative rows that are left alone' },
  { name: 'accuracy', title: 'Accuracy', about: 'share of rows predicted right' },
  { name: 'balanced_accuracy', title: 'Balanced accuracy', about: 'mean of recall and specificity' },
  { name: 'mcc', title: 'MCC', about: 'Matthews’ correlation of label and prediction' },
  { name: 'log_loss', title: 'Log loss', about: 'mean −ln of the probability given to what happened' },
  { name: 'brier', title: 'Brier score', about: 'mean squared error of the probabilities' },
  { name: 'ece_quantile_10', title: 'Calibration error', about: 'over ten bins of equal frequency' },
  { name: 'business_value', title: 'Business value', about: 'what the predictions were worth, by the configuration' },
  { name: 'positive_rate', title: 'Positive rate', about: 'share of positive rows' },
  { name: 'predicted_positive_rate', title: 'Predicted positive rate', about: 'share of rows predicted positive' },
];

const MULTICLASS: readonly Metric[] = [
  { name: 'log_loss', title: 'Log loss', about: 'mean −ln of the probability given to what happened' },
  { name: 'accuracy', title: 'Accuracy', about: 'share of rows predicted right' },
  { name: 'macro_f1', title: 'Macro F1', about: 'mean of the classes’ F1' },
  { name: 'weighted_f1', title: 'Weighted F1', about: 'mean of the classes’ F1, weighted with their rows' },
  { name: 'balanced_accuracy', title: 'Balanced accuracy', about: 'mean of the classes’ recall' },
  { name: 'roc_auc_ovr', title: 'AUC, one against the rest', about: 'mean over classes of the area under the ROC curve' },
  { name: 'mcc', title: 'MCC', about: 'correlation of label and prediction' },
  { name: 'cohen_kappa', title: 'Cohen’s kappa', about: 'agreement of label and prediction beyond chance' },
];

const REGRESSION: readonly Metric[] = [
  { name: 'rmse', title: 'RMSE', about: 'root of the mean squared error, in units of the label' },
  { name: 'mae', title: 'MAE', about: 'mean size of the error, in units of the label' },
  { name: 'r2', title: 'R²', about: 'share of the label’s variance that the model explains' },
  { name: 'mape', title: 'MAPE', about: 'mean size of the error as a share of the label’s size' },
  { name: 'medae', title: 'Median error', about: 'median size of the error, in units of the label' },
  { name: 'mean_error', title: 'Mean error', about: 'prediction less label: above 0 the predictions are too high' },
  { name: 'max_error', title: 'Largest error', about: 'largest size of an error, in units of the label' },
];

const BY_TASK = { binary: BINARY, multiclass: MULTICLASS, regression: REGRESSION } as const;

export const taskOf = ({ task }: Evaluation): Task => task ?? 'binary';

/** The metrics of a task, the one that decides first. */
export const metricsOf = (task: Task): readonly Metric[] => BY_TASK[task];

/** The metric that decides about a model of the task. */
export function decidingOf(task: Task): Metric {
  return BY_TASK[task][0] ?? { name: AUC, title: 'AUC', about: '' };
}

/** Whether a larger value of the deciding metric is a worse one. */
export const isError = (task: Task): boolean => task !== 'binary';

/** What the losses of slices are called. */
export const lossName = (task: Task): string => (task === 'regression' ? 'Absolute error' : 'Log loss');

/** How the deciding metric of a month lies to what is usual, in a sentence. */
export function sayUsual(evaluation: Evaluation, digits: (value: number) => string): string | null {
  const { usual } = evaluation;
  const bound = usual?.lower ?? usual?.upper;
  if (!usual || bound == null) return null;
  const { title } = decidingOf(taskOf(evaluation));
  const not = (usual.is_unusual ?? usual.is_below) ? '' : 'not ';
  return usual.lower == null
    ? `The ${title} lies ${not}above the ${digits(bound)} up to which it is usual: the mean of the ${usual.months} labelled months before and three standard deviations.`
    : `The ${title} lies ${not}below the ${digits(bound)} from which on it is usual: the mean of the ${usual.months} labelled months before, less three standard deviations.`;
}

/** The newest evaluation of each month and version, oldest month first: one with labels replaces one without. */
export function newestOf(all: readonly StoredEvaluation[]): StoredEvaluation[] {
  const found = new Map<string, StoredEvaluation>();
  for (const one of all) {
    const key = `${one.period} ${one.version}`;
    const known = found.get(key);
    if (!known || rank(one) > rank(known) || (rank(one) === rank(known) && one.id > known.id)) found.set(key, one);
  }
  return [...found.values()].sort((a, b) => a.period.localeCompare(b.period) || a.version - b.version);
}

const rank = ({ evaluation }: StoredEvaluation): number => (evaluation.realised ? 1 : 0);

export function realisedOf({ realised }: Evaluation, metric: string): MeasuredValue | null {
  return realised?.measured.metrics[metric] ?? null;
}
export function estimatedOf({ estimated }: Evaluation, metric: string): EstimatedValue | null {
  return estimated?.estimated.metrics[metric] ?? null;
}

/** Labelled rows of all; null where nothing was scored. */
export function coverageOf({ realised, estimated }: Evaluation): { labelled: number; rows: number } | null {
  const rows = realised?.measured.rows ?? estimated?.estimated.rows;
  return rows === undefined ? null : { labelled: realised?.measured.labelled ?? 0, rows };
}

/** `plan: basic, and hours: over 7`. */
export function saySegment({ conditions }: Segment): string {
  return conditions.map(({ column, level }) => `${column}: ${level ?? 'missing'}`).join(', and ');
}

export interface Point {
  period: string;
  /** Milliseconds since 1970. */
  time: number;
  value: number;
  interval: Interval | null;
  /** From which value on the month is usual. */
  usual: number | null;
}
export interface Line {
  version: number;
  realised: Point[];
  estimated: Point[];
}

/** The deciding metric of each version by month, measured and estimated apart. */
export function linesOf(evaluations: readonly StoredEvaluation[]): Line[] {
  const lines = new Map<number, Line>();
  for (const { version, period, evaluation } of evaluations) {
    const line = lines.get(version) ?? { version, realised: [], estimated: [] };
    lines.set(version, line);
    // A time is in UTC, which a date is without being told.
    const time = Date.parse(period.includes('T') ? `${period}Z` : period);
    const { name } = decidingOf(taskOf(evaluation));
    const [measured, guessed] = [realisedOf(evaluation, name), estimatedOf(evaluation, name)];
    const usual = evaluation.usual?.lower ?? evaluation.usual?.upper ?? null;
    if (measured?.value != null) line.realised.push({ period, time, value: measured.value, interval: measured.interval, usual });
    if (guessed?.value != null) line.estimated.push({ period, time, value: guessed.value, interval: guessed.band, usual: null });
  }
  return [...lines.values()].sort((a, b) => a.version - b.version);
}

/** Lowest and highest value that a chart shows: all points with their intervals; of an AUC chance too, of an error 0. */
export function rangeOf(lines: readonly Line[], task: Task): [low: number, high: number] {
  const points = lines.flatMap(({ realised, estimated }) => [...realised, ...estimated]);
  const values = points.flatMap(({ value, interval, usual }) => [value, interval?.low ?? value, interval?.high ?? value, usual ?? value]);
  if (isError(task)) {
    const largest = Math.max(0, ...values);
    const step = stepOf(largest);
    return [0, largest === 0 ? 1 : Math.ceil((largest * 1.05) / step) * step];
  }
  const low = Math.min(0.5, ...values);
  const high = Math.max(0.6, ...values);
  return [Math.max(0, Math.floor((low - 0.02) * 20) / 20), Math.min(1, Math.ceil((high + 0.02) * 20) / 20)];
}

/** The distance of about five round ticks from 0 to a number. */
export function stepOf(largest: number): number {
  if (largest <= 0) return 0.2;
  const power = 10 ** Math.floor(Math.log10(largest / 5));
  return ([1, 2, 5].find((factor) => largest / 5 <= factor * power) ?? 10) * power;
}
