// Flows, evaluations and promotions with made-up content.

const day = 86400_000;
const MONTHS = ['2024-01-31', '2024-02-29', '2024-03-31', '2024-04-30', '2024-05-31'];

const parameter = (name, type, doc, required = false, values = undefined) => ({ name, doc, kind: values ? { type, values } : { type }, required });

export function flows() {
  const next = (n) => Array.from({ length: n }, (_, i) => new Date(Date.now() + (i + 1) * 30 * day).toISOString());
  const flow = (name, doc, parameters, more = {}) => ({ name, doc, parameters, steps: [], schedule: null, on: [], watch: null, paused: false, next: [], skipped: [], last: null, ...more });
  return [
    flow('monthly', 'Ingest a drop, monitor it, and where that asks for it train, compare and promote a new version', [parameter('as_of', 'date', 'The date that the drop describes', true), parameter('drop', 'path', 'Folder with one CSV or Parquet file a table', true), parameter('seed', 'integer', 'Seed of the fit and of the split'), parameter('promote', 'word', 'What becomes of a better candidate', false, ['yes', 'ask', 'no'])], {
      schedule: 'at 06:00 on day 1 of every month',
      on: ['webhook'],
      watch: 'drops',
      next: next(5),
      skipped: [{ flow: 'monthly', due_at: new Date(Date.now() - 31 * day).toISOString(), reason: 'the server was not running' }],
    }),
    flow('ingest_month', 'Validate a drop and keep it whole', [parameter('as_of', 'date', 'The date that the drop describes', true), parameter('drop', 'path', 'Folder with one file a table', true), parameter('replace', 'flag', 'Whether a month with other content is replaced')]),
    flow('monitor_month', 'Compare a month with the one the model learned from', [parameter('current', 'date', 'The month'), parameter('threshold', 'number', 'Share of drifted columns at or over which to retrain')], { on: ['snapshot', 'flow:ingest_month'] }),
    flow('evaluate_month', 'How right a version of the model was on a month', [parameter('as_of', 'date', 'The month'), parameter('version', 'integer', 'The version')]),
    flow('export', 'Writes the scores for the warehouse', [], { steps: ['score', 'copy'] }),
  ];
}

export function promotions() {
  return [3, 2, 1].map((n) => ({ id: n, at: new Date(Date.now() - (4 - n) * 2 * 3600_000).toISOString(), actor: n === 1 ? 'the first version' : 'ada', action: n === 3 ? 'rollback' : 'promote', subject: `churn version ${n === 3 ? 1 : n}`, run_id: n === 2 ? 12 : null }));
}

export function audit() {
  const at = (hours) => new Date(Date.now() - hours * 3600_000).toISOString();
  const of = (id, actor, action, subject, more) => ({ id, at: at(6 - id), actor, address: null, proxy: null, action, subject, detail: '', outcome: 'done', run_id: null, ...more });
  return [
    of(4, 'ada', 'POST', '/api/streamflow/models/rollback', { address: '10.0.0.7', detail: '{}' }),
    of(3, 'eve', 'POST', '/api/streamflow/models/promote', { address: '10.0.0.9', proxy: '10.0.0.1', outcome: 'refused: this needs the role operator, and eve has the role viewer' }),
    of(2, 'run 12', 'promote', 'churn version 2', { run_id: 12 }),
    of(1, 'ada', 'command', 'ingest --as-of 2024-05-28 drops/month_2024-05-28', {}),
  ];
}

const value = (middle, half = 0.025) => ({ value: middle, interval: { low: middle - half, high: middle + half } });
const guess = (middle, half = 0.02) => ({ value: middle, sampling_error: half / 3, band: { low: middle - half, high: middle + half }, reason: null });

function evaluation(version, month, i) {
  const auc = version === 1 ? [0.84, 0.83, 0.74, 0.66][i] : [0.83, 0.85, 0.845, 0.84][i];
  const labelled = month !== MONTHS[4];
  const share = (k) => k / 40;
  const curve = Array.from({ length: 41 }, (_, k) => ({ threshold: 1 - share(k), false_positive_rate: share(k), true_positive_rate: share(k) ** ((1 - (auc ?? 0.8)) / (auc ?? 0.8)), precision: null }));
  const histogram = Array.from({ length: 20 }, (_, k) => ({ low: k / 20, high: (k + 1) / 20, positives: Math.round(30 + 4 * k), negatives: Math.round(380 * Math.exp(-k / 6)) }));
  const calibration = Array.from({ length: 10 }, (_, k) => ({ rows: 130, mean_score: 0.05 + k / 10, positive_rate: Math.min(1, Math.max(0, k / 10 + 0.02 * Math.sin(k))), interval: { low: Math.max(0, k / 10 - 0.05), high: Math.min(1, k / 10 + 0.08) } }));
  const fallen = labelled && auc < 0.8;
  return {
    id: version * 10 + i, model: 'churn', version, period: month, kind: labelled ? 'realised' : 'estimated', at: new Date(Date.parse(month) + 2 * day).toISOString(), run_id: 12,
    evaluation: {
      model: 'churn', version, trained_on: version === 1 ? MONTHS[0] : MONTHS[1], period: month, left_out: 5254,
      realised: labelled ? { measured: { rows: 1789, labelled: 1610, scored: 1610, predicted: 1610, positives: 430, negatives: 1180, confusion: { true_positive: 260, true_negative: 1010, false_positive: 170, false_negative: 170 }, metrics: { roc_auc: value(auc), average_precision: value(auc - 0.2), f1: value(auc - 0.25), precision: value(0.61), recall: value(0.6), accuracy: value(0.79), log_loss: value(1.25 - auc, 0.03), brier: value(0.3 - auc / 5, 0.01) } }, curve, calibration, histogram } : null,
      estimated: { estimated: { rows: 1789, scored: 1789, used: 1789, expected_positives: 470, metrics: { roc_auc: guess(0.84 - i * 0.004), f1: guess(0.58), accuracy: guess(0.79), brier: { value: null, band: null, sampling_error: null, reason: 'the estimate would mislead' } } }, calibration: 'The scores are taken as they are: they were calibrated well.' },
      validation: { value: 0.842, interval: { low: 0.82, high: 0.864 } },
      verdict: labelled ? { decision: fallen ? 'fallen' : 'no_action', reason: fallen ? `the AUC fell from 0.842 to ${auc.toFixed(3)}, beyond both intervals and by at least 0.03` : 'the AUC is within what the validation promised' } : { decision: 'undecided', reason: 'no row of this month has a label' },
      segments: labelled ? { rows: 1610, left_out: 179, mean_loss: 0.44, tested: 61, worst: [{ conditions: [{ column: 'contract_type', level: 'month-to-month' }, { column: 'tenure_months', level: 'up to 4' }], rows: 214, share: 0.133, mean_loss: 0.71, excess: 0.31, interval: { low: 0.2, high: 0.42 }, p_adjusted: 0.0001 }, { conditions: [{ column: 'last_payment', level: null }], rows: 130, share: 0.081, mean_loss: 0.6, excess: 0.17, interval: { low: 0.06, high: 0.28 }, p_adjusted: 0.01 }] } : null,
      why: fallen ? { sentence: 'The mean log loss rose by 0.12: 0.09 because of another relation of inputs and label, 0.03 because of other inputs.' } : null,
    },
  };
}

export const evaluations = () => MONTHS.flatMap((month, m) => [1, 2].flatMap((version) => (m < version ? [] : [evaluation(version, month, m - 1)])));

export const promotionReport = () => ({
  rows: 1789, used: 1610, unlabelled: 179, unscored: 0, promotion: 'better', reason: 'the AUC of the candidate is higher by 0.021 (95 % 0.008 to 0.034)', rows_needed: null,
  auc: { production: 0.822, candidate: 0.843, difference: 0.021, standard_error: 0.0066, p_two_sided: 0.0015, interval: { low: 0.008, high: 0.034 } },
  mcnemar: { both_right: 1200, only_production: 60, only_candidate: 88, none_right: 262, p_value: 0.021, accuracy_difference: 0.0174, interval: { low: 0.003, high: 0.032 } },
  log_loss: { difference: 0.012, p_two_sided: 0.004, interval: { low: 0.004, high: 0.02 } },
  brier: { difference: 0.003, p_two_sided: 0.08, interval: { low: -0.0004, high: 0.0064 } },
});
