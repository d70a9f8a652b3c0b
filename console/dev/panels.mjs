// Panels in the shape of GET /api/streamflow/panels, over the metrics of the stand-in.

const line = (title, unit, targets, more = {}) => ({ title, description: `${title}, over time.`, empty: 'No request in this range.', kind: 'timeseries', unit, width: 8, targets: targets.map(([expression, legend]) => ({ expression, legend })), ...more });
const stat = (title, unit, expression, more = {}) => ({ title, description: `${title}, at the end of the range.`, empty: 'Nothing yet. Start `npm run dev`.', kind: 'stat', unit, width: 4, targets: [{ expression, legend: '' }], ...more });
const bounds = [0.00002, 10];
const quantile = (q) => `clamp_min(histogram_quantile(${q}, sum by (le) (rate(streamflow_request_duration_seconds_bucket[5m]))), 0.00002)`;
const burn = (window) => `(1 - sum(rate(api_responses_total{code!~"5.."}[${window}])) / sum(rate(api_responses_total[${window}]))) / 0.001`;
const driftLimits = [{ value: 0, color: 'green' }, { value: 0.2, color: 'yellow' }, { value: 0.3, color: 'red' }];

const service = [
  {
    title: 'Now',
    panels: [
      stat('Requests', 'reqps', 'sum(rate(api_requests_total[5m]))', { width: 4 }),
      stat('Errors', 'percent', '100 * sum(rate(api_responses_total{code=~"5.."}[5m])) / sum(rate(api_responses_total[5m]))', { width: 3, thresholds: [{ value: 0, color: 'green' }, { value: 1, color: 'yellow' }, { value: 5, color: 'red' }] }),
      stat('Mean latency', 'seconds', 'sum(rate(api_request_latency_seconds_sum[5m])) / sum(rate(api_request_latency_seconds_count[5m]))', { width: 4 }),
      stat('p95 latency', 'seconds', quantile(0.95), { width: 4, bounds, thresholds: [{ value: 0, color: 'green' }, { value: 0.1, color: 'yellow' }, { value: 0.5, color: 'red' }] }),
      stat('Drift share', 'percentunit', 'max(drift_share)', { width: 3, limit: 'max(drift_share_threshold)' }),
      stat('Model version', 'string', 'model_info', { width: 3, targets: [{ expression: 'model_info', legend: '{{version}}' }] }),
      stat('Targets up', 'percentunit', 'sum(up) / count(up)', { width: 3, thresholds: [{ value: 0, color: 'red' }, { value: 1, color: 'green' }] }),
    ],
  },
  {
    title: 'Requests, errors, duration',
    panels: [
      line('Rate', 'reqps', [['sum(rate(api_requests_total[5m]))', 'requests']]),
      line('Responses by status', 'reqps', [['sum by (code) (rate(api_responses_total[5m]))', '{{code}}']], { stacked: true, hide_zeros: true }),
      line('Latency', 'seconds', [[quantile(0.5), 'p50'], [quantile(0.95), 'p95'], [quantile(0.99), 'p99'], ['sum(rate(api_request_latency_seconds_sum[5m])) / sum(rate(api_request_latency_seconds_count[5m]))', 'mean']], { bounds }),
      { title: 'Latency distribution', description: 'Requests by how long they took.', empty: 'No request in this range.', kind: 'heatmap', unit: 'seconds', width: 12, targets: [{ expression: 'sum by (le) (increase(streamflow_request_duration_seconds_bucket[5m]))', legend: '{{le}}' }] },
      line('Burn rate of the error budget', 'short', [[burn('5m'), '5m'], [burn('1h'), '1h'], [burn('6h'), '6h']], { width: 12, lines: [{ value: 14.4, label: '14.4×' }, { value: 6, label: '6×' }, { value: 1, label: '1×' }], thresholds: [{ value: 0, color: 'green' }, { value: 6, color: 'yellow' }, { value: 14.4, color: 'red' }] }),
    ],
  },
  {
    title: 'Saturation',
    panels: [
      line('In flight', 'short', [['sum(api_requests_in_flight)', 'in flight']], { width: 6 }),
      line('CPU', 'percentunit', [['rate(process_cpu_seconds_total[$__rate_interval])', '{{job}}']], { width: 6 }),
      line('Memory', 'bytes', [['process_resident_memory_bytes', '{{job}}']], { width: 6 }),
      line('Scrape duration', 'seconds', [['scrape_duration_seconds', '{{job}}']], { width: 6 }),
    ],
  },
];
const model = [
  {
    title: 'Predictions',
    panels: [
      line('Predictions by class', 'ops', [['sum by (prediction) (rate(predictions_total[5m]))', 'class {{prediction}}']], { stacked: true, width: 12 }),
      { title: 'Scores', description: 'Predicted probabilities.', empty: 'No request in this range.', kind: 'heatmap', unit: 'short', width: 12, targets: [{ expression: 'sum by (le) (increase(prediction_score_bucket[5m]))', legend: '{{le}}' }] },
    ],
  },
  {
    title: 'Drift',
    panels: [
      line('Drift share', 'percentunit', [['drift_share', '{{current}} against {{reference}}']], { width: 16, thresholds: driftLimits, lines: [{ value: 0.3, label: 'threshold 30 %' }] }),
      { title: 'Most drifted features', description: 'Largest effect sizes of the last report.', empty: 'Nothing was compared yet.', kind: 'bar', unit: 'short', width: 8, targets: [{ expression: 'topk(10, drift_effect_size)', legend: '{{column}}' }] },
    ],
  },
];

export const dashboards = [
  { uid: 'service', title: 'Service', description: 'The prediction API.', rows: service },
  { uid: 'model', title: 'Model & drift', description: 'What the model says.', rows: model },
];
