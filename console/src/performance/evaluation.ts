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

/** How right a version was on a month. */
export interface Evaluation {
  version: number;
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
  /** From which AUC on the month is usual; null without six labelled months before. */
  usual?: { lower: number; months: number; is_below: boolean } | null;
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
  mcnemar: { both_right: number; only_production: number; only_candidate: number; none_right: number; p_value: number; accuracy_difference: number | null; interval: Interval | null };
  log_loss: PairedLoss | null;
  brier: PairedLoss | null;
}

export const AUC = 'roc_auc';

/** Metrics in the order they are shown, in the field's words. */
export const METRICS: readonly { name: string; title: string; about: string }[] = [
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

export interface AucPoint {
  period: string;
  /** Milliseconds since 1970. */
  time: number;
  value: number;
  interval: Interval | null;
  /** From which AUC on the month is usual. */
  usual: number | null;
}
export interface AucLine {
  version: number;
  realised: AucPoint[];
  estimated: AucPoint[];
}

/** The AUC of each version by month, measured and estimated apart. */
export function aucLines(evaluations: readonly StoredEvaluation[]): AucLine[] {
  const lines = new Map<number, AucLine>();
  for (const { version, period, evaluation } of evaluations) {
    const line = lines.get(version) ?? { version, realised: [], estimated: [] };
    lines.set(version, line);
    const time = Date.parse(period);
    const [measured, guessed] = [realisedOf(evaluation, AUC), estimatedOf(evaluation, AUC)];
    if (measured?.value != null) line.realised.push({ period, time, value: measured.value, interval: measured.interval, usual: evaluation.usual?.lower ?? null });
    if (guessed?.value != null) line.estimated.push({ period, time, value: guessed.value, interval: guessed.band, usual: null });
  }
  return [...lines.values()].sort((a, b) => a.version - b.version);
}

/** Lowest and highest AUC that a chart shows: all points with their intervals, and chance. */
export function aucRange(lines: readonly AucLine[]): [low: number, high: number] {
  const points = lines.flatMap(({ realised, estimated }) => [...realised, ...estimated]);
  const values = points.flatMap(({ value, interval, usual }) => [value, interval?.low ?? value, interval?.high ?? value, usual ?? value]);
  const low = Math.min(0.5, ...values);
  const high = Math.max(0.6, ...values);
  return [Math.max(0, Math.floor((low - 0.02) * 20) / 20), Math.min(1, Math.ceil((high + 0.02) * 20) / 20)];
}
