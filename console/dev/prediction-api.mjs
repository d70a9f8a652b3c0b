// A stand-in for the prediction API with the same metrics, for work on the console without the binary.

const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
const DURATIONS = [20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const SCORES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];

/** Counters of a service; `serve` counts one request. A fixed seed makes runs alike. */
export class PredictionApi {
  constructor(seed = 7) {
    this.state = seed;
    this.requests = 0;
    this.responses = new Map([['200', 0], ['404', 0], ['422', 0], ['500', 0]]);
    this.latency = { counts: new Array(BOUNDS.length + 1).fill(0), sum: 0 };
    this.duration = { counts: new Array(DURATIONS.length + 1).fill(0), sum: 0 };
    this.scores = { counts: new Array(SCORES.length + 1).fill(0), sum: 0 };
    this.predictions = [0, 0];
    this.version = '2';
  }

  random() {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    return this.state / 2 ** 32;
  }

  /** One request; `load` above 1 slows it down. */
  serve(load = 1) {
    const draw = this.random();
    const code = draw < 0.975 ? '200' : draw < 0.99 ? '404' : draw < 0.996 ? '422' : '500';
    const seconds = Math.exp(-4.9 + 0.75 * (this.random() + this.random() + this.random() - 1.5) * 2) * load;
    this.requests += 1;
    this.responses.set(code, this.responses.get(code) + 1);
    observe(this.latency, BOUNDS, seconds);
    observe(this.duration, DURATIONS, seconds);
    if (code === '200') {
      const score = Math.min(0.999, Math.max(0.001, (this.random() + this.random()) / 2.2));
      observe(this.scores, SCORES, score);
      this.predictions[score >= 0.5 ? 1 : 0] += 1;
    }
    return code;
  }

  /** [name, labels, value, type] of every sample. */
  samples(now) {
    const rows = [['api_requests_total', {}, this.requests, 'counter']];
    for (const [code, count] of this.responses) rows.push(['api_responses_total', { code }, count, 'counter']);
    this.predictions.forEach((count, i) => rows.push(['predictions_total', { prediction: String(i) }, count, 'counter']));
    histogram(rows, 'api_request_latency_seconds', BOUNDS, this.latency);
    histogram(rows, 'streamflow_request_duration_seconds', DURATIONS, this.duration);
    histogram(rows, 'prediction_score', SCORES, this.scores);
    rows.push(['api_requests_in_flight', {}, Math.round(this.random() * 3), 'gauge']);
    rows.push(['model_info', { name: 'churn', version: this.version }, 1, 'gauge']);
    rows.push(['process_resident_memory_bytes', {}, 182e6 + 4e6 * Math.sin(now / 9000), 'gauge']);
    rows.push(['process_cpu_seconds_total', {}, this.requests * 0.0011, 'counter']);
    rows.push(['process_open_fds', {}, 31, 'gauge']);
    const phase = Math.floor(now / 21600) % 4;
    rows.push(['drift_share', { reference: '2024-01-31', current: '2024-03-31' }, [0.07, 0.12, 0.21, 0.36][phase], 'gauge']);
    rows.push(['drift_share_threshold', {}, 0.3, 'gauge']);
    [['monthly_charges', 0.34], ['support_calls', 0.21], ['contract_type', 0.13], ['tenure_months', 0.04]].forEach(([column, size]) =>
      rows.push(['drift_effect_size', { column }, size * (0.5 + phase / 4), 'gauge']),
    );
    return rows;
  }

  /** The text format. */
  text(now = Date.now() / 1000) {
    let out = '';
    const typed = new Set();
    for (const [name, labels, value, type] of this.samples(now)) {
      const family = type === 'histogram' ? name.replace(/_(bucket|sum|count)$/, '') : name;
      if (!typed.has(family)) out += `# HELP ${family} Of the stand-in service.\n# TYPE ${family} ${type}\n`;
      typed.add(family);
      out += `${series(name, labels)} ${value}\n`;
    }
    return out;
  }
}

function observe(into, bounds, value) {
  const i = bounds.findIndex((bound) => value <= bound);
  into.counts[i < 0 ? bounds.length : i] += 1;
  into.sum += value;
}

function histogram(rows, name, bounds, { counts, sum }) {
  let total = 0;
  counts.forEach((count, i) => {
    total += count;
    const le = i === bounds.length ? '+Inf' : Number.isInteger(bounds[i]) ? `${bounds[i]}.0` : String(bounds[i]);
    rows.push([`${name}_bucket`, { le }, total, 'histogram']);
  });
  rows.push([`${name}_sum`, {}, sum, 'histogram'], [`${name}_count`, {}, total, 'histogram']);
}

export function series(name, labels) {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
  return pairs.length ? `${name}{${pairs.join(',')}}` : name;
}

/** Requests a second at a moment: a day's wave with a rush and a quiet hour. */
export function rateAt(seconds) {
  const hour = (seconds / 3600) % 24;
  return Math.max(1, 14 + 9 * Math.sin(((hour - 8) / 24) * 2 * Math.PI) + (hour > 14 && hour < 14.3 ? 40 : 0));
}
