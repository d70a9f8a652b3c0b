// StreamFlow's own resources with made-up content that changes as a user changes it.

import { audit, evaluations, flows, promotionReport, promotions } from './loop.mjs';
import { dashboards } from './panels.mjs';

const TOKEN = 'development';
const day = 86400_000;

export class Resources {
  constructor(api, { readOnly = false, password = null, role = 'admin' } = {}) {
    this.role = role;
    this.api = api;
    this.readOnly = readOnly;
    this.password = password;
    this.user = null;
    this.started = Date.now();
    this.versions = [3, 2, 1].map((n) => ({ version: String(n), created: new Date(Date.now() - (4 - n) * 30 * day).toISOString(), trained_on: `2024-0${n}-28`, run_id: 3 * n, metrics: { auc: 0.81 + n * 0.012, f1: 0.57, log_loss: 0.44 - n * 0.01, brier_score: 0.14, accuracy: 0.8 + n * 0.004, n_train: 5000 + n * 300 }, production: n === 2 }));
    this.previous = '1';
    this.reports = [[5, 0.41, 12], [4, 0.36, 11], [3, 0.21, 6], [2, 0.07, 2]].map(([month, share, drifted]) => report('2024-01-31', `2024-0${month}-28`, share, drifted));
    this.runs = Array.from({ length: 14 }, (_, i) => run(14 - i));
    this.flows = flows();
    this.audit = audit();
    this.promotions = promotions();
  }

  /** [status, body] of a request. */
  answer(method, path, body, token) {
    if (method === 'POST' && token !== TOKEN) return [403, { error: 'the header X-StreamFlow-Token is missing or wrong' }];
    if (path === 'session') return [200, { version: '0.2.0', token: TOKEN, user: this.user, role: this.role, named_by_proxy: false, refusal: null, login_required: this.password !== null, read_only: this.readOnly, path_prefix: '' }];
    if (path === 'login') return this.login(body);
    if (path === 'logout') return (this.user = null), [200, {}];
    if (this.password !== null && this.user === null) return [401, { error: 'sign in first' }];
    if (method === 'POST' && this.readOnly && path !== 'predict') return [403, { error: 'this console is read-only' }];
    if (method === 'POST' && this.role === 'viewer' && path !== 'predict' && path !== 'models/compare') return [403, { error: 'this needs the role operator' }];
    return method === 'POST' ? this.change(path, body) : this.read(path);
  }

  login({ user, password }) {
    if (password !== this.password) return [401, { error: 'user or password is wrong' }];
    this.user = user;
    return [200, {}];
  }

  read(address) {
    const { pathname, searchParams } = new URL(address, 'http://localhost/');
    const path = pathname.slice(1);
    const [, id, part] = path.split('/');
    if (path === 'panels') return [200, { dashboards }];
    if (path === 'reports') return [200, this.reports];
    if (path.startsWith('reports/')) return [200, { not_tested: [{ column: 'signup_date', reason: 'a date: no test takes it' }, { column: 'plan', reason: 'all current values are missing' }] }];
    if (path === 'models') return [200, { name: 'churn', production: this.versions.find((one) => one.production)?.version ?? null, versions: this.versions }];
    if (path === 'snapshots') return [200, ['2024-05-28', '2024-04-28', '2024-03-28', '2024-02-28', '2024-01-31'].map(snapshot)];
    if (path === 'flows') return [200, this.flows.map((flow) => ({ ...flow, last: this.runs.find((one) => one.flow === flow.name) ?? null }))];
    if (path === 'live') return [200, { why: 'The stand-in has no traffic.', false_alarms_per_month: 0.5, versions: [] }];
    if (path === 'performance') return [200, evaluations()];
    if (path === 'audit') return [200, this.audit];
    if (path === 'promotions') return [200, this.promotions];
    if (path === 'annotations') return [200, this.promotions.map(({ at, subject, actor, run_id }) => ({ at, kind: 'promotion', text: `${subject} promoted by ${actor}`, run_id }))];
    if (path === 'runs') {
      const fits = (one) => ['flow', 'state', 'period'].every((name) => !searchParams.get(name) || one[name] === searchParams.get(name));
      return [200, this.runs.filter(fits).map((one) => ({ ...one, tasks: undefined, logs: undefined, transitions: undefined }))];
    }
    if (path.startsWith('runs/')) {
      const found = this.runs.find((one) => one.id === id);
      if (found && part === 'logs') return [200, { state: found.state, state_name: found.state_name, lines: found.logs.filter((line) => line.id > Number(searchParams.get('after') ?? 0)) }];
      return found ? [200, found] : [404, { error: `there is no run ${id}` }];
    }
    if (path === 'status') return [200, status(this.started)];
    return [404, { error: `nothing is at ${path}` }];
  }

  change(path, body) {
    if (path === 'models/promote') return this.promote(body.version);
    if (path === 'models/rollback') return this.promote(this.previous);
    if (path === 'models/compare') return [200, promotionReport()];
    const [kind, name, verb] = path.split('/');
    if (kind === 'flows') return this.changeFlow(name, verb, body);
    if (kind === 'runs') return this.changeRun(name, verb, body);
    if (path === 'predict') return predict(body.entity, this.api.version);
    if (path === 'reports') {
      const made = report(body.reference, body.current, 0.18, 5, body.threshold ?? 0.3);
      this.reports = [made, ...this.reports.filter((one) => one.name !== made.name)];
      return [200, made];
    }
    return [404, { error: `nothing is at ${path}` }];
  }

  changeFlow(name, verb, body) {
    const flow = this.flows.find((one) => one.name === name);
    if (!flow) return [404, { error: `there is no flow "${name}"` }];
    if (verb === 'schedule') {
      flow.paused = body.paused;
      return [200, flow];
    }
    const missing = flow.parameters.find((one) => one.required && !(one.name in body.parameters) && verb === 'run');
    if (missing) return [422, { error: `flow ${name} needs ${missing.name}: ${missing.doc}` }];
    const made = { ...run(this.runs.length + 1), flow: name, state: 'completed', state_name: 'NO_ACTION', message: '', parameters: body.parameters ?? {}, cause: 'console', started: new Date().toISOString(), ended: new Date().toISOString() };
    this.runs.unshift(made);
    return verb === 'run' ? [200, made] : [200, { runs: [Number(made.id)] }];
  }

  changeRun(id, verb, body) {
    const found = this.runs.find((one) => one.id === id);
    if (!found) return [404, { error: `there is no run ${id}` }];
    const next = { retry: ['scheduled', 'AwaitingRetry'], cancel: ['cancelled', 'Cancelled'], answer: ['scheduled', 'Resuming'] }[verb];
    [found.state, found.state_name] = next;
    for (const one of verb === 'answer' ? found.approvals : []) Object.assign(one, { answer: body.approved ? 'approved' : 'rejected', answered_by: 'console', answered_at: new Date().toISOString(), note: body.note });
    return [200, found];
  }

  promote(version) {
    if (!this.versions.some((one) => one.version === version)) return [404, { error: `there is no version ${version}` }];
    this.previous = this.versions.find((one) => one.production)?.version ?? version;
    for (const one of this.versions) one.production = one.version === version;
    this.api.version = version;
    return [200, { production: version }];
  }
}

function report(reference, current, share, drifted, threshold = 0.3) {
  const name = `drift_${reference}_vs_${current}`;
  const decision = share >= threshold ? 'RETRAINING_TRIGGERED' : 'NO_ACTION';
  return { name, reference, current, profile: 'calibrated', drift_share: share, threshold, drifted, columns: 29, decision, target_drift: 0.0239, created: new Date(Date.parse(current) + day).toISOString(), run_id: 14, url: `reports/${name}.html` };
}

function run(n) {
  const started = Date.now() - (15 - n) * 7_200_000;
  const failed = n % 5 === 3;
  const state = n === 14 ? 'running' : failed ? 'failed' : 'completed';
  const at = (seconds) => new Date(started + seconds * 1000).toISOString();
  const tasks = ['read_tables', 'compare', 'write_report'].map((name, i) => ({ name, state: i < 2 ? 'completed' : state, started: at(i * 2), duration_ms: i < 2 || state !== 'running' ? 1400 : null, error: failed && i === 2 ? 'no space left on device: /data/reports' : '' }));
  return { id: String(n), flow: n % 3 ? 'monitor_month' : 'ingest_month', state, state_name: state === 'completed' ? 'NO_ACTION' : '', message: failed ? 'write_report: no space left on device' : '', started: at(0), ended: state === 'running' ? null : at(6), period: '2024-03-28', cause: n % 4 ? 'schedule' : 'console', due: null, attempt: 1, transitions: [{ task: null, state: 'scheduled', state_name: 'Scheduled', message: '', actor: 'schedule', at: at(0) }, { task: null, state, state_name: state, message: '', actor: '', at: at(6) }], approvals: [], parameters: { reference: '2024-01-31', current: '2024-03-28' }, report: 'drift_2024-01-31_vs_2024-03-28', tasks, logs: [{ id: 1, time: at(0.1), level: 'INFO', message: 'reading 6 tables' }, { id: 2, time: at(4), level: failed ? 'ERROR' : 'INFO', message: failed ? 'no space left on device' : '[drift] drift_share=0.07 -> NO_ACTION' }] };
}

const expectation = (rule, kwargs, success) => ({ success, expectation_config: { type: `expect_column_values_to_${rule}`, kwargs }, result: { unexpected_count: success ? 0 : 3 } });

function snapshot(as_of, i) {
  const tables = ['users', 'subscriptions', 'payments', 'usage', 'support', 'labels'].map((name, k) => ({ name, rows: 7043 + k * 1300 - i * 55, bytes: 180_000 + k * 91_000, passed: 6 + k, failed: i === 1 && k === 2 ? 1 : 0, expectations: [expectation('not_be_null', { column: 'user_id' }, true), expectation('be_between', { column: 'monthly_charges', min_value: 0, max_value: 200 }, !(i === 1 && k === 2))] }));
  return { as_of, ingested: new Date(Date.parse(as_of) + day).toISOString(), sha256: '9f2c1b'.repeat(10) + 'abcd', tables };
}

function predict(entity, version) {
  if (!/^\d{4}-[A-Z]{5}$/.test(entity)) return [200, { status: 404, response: { error: `Missing features for user_id=${entity}`, missing_features: ['tenure_months', 'monthly_charges'] }, distributions: {} }];
  const bell = (from, to, n) => Array.from({ length: n }, (_, i) => Math.round(900 * Math.exp(-(((i / (n - 1)) * 2 - 0.8) ** 2) * 3))).map((count) => count + from * 0 + to * 0);
  const edges = (from, to, n) => Array.from({ length: n + 1 }, (_, i) => from + ((to - from) * i) / n);
  return [200, {
    status: 200,
    response: { user_id: entity, prediction: 1, probability: 0.7342, as_of: '2024-05-28', model: { name: 'churn', version }, features_used: { tenure_months: 4, monthly_charges: 97.4, contract_type: 'month-to-month', support_calls: 5, paperless: true, last_payment: null } },
    distributions: {
      tenure_months: { kind: 'numerical', edges: edges(0, 72, 18), counts: bell(0, 72, 18) },
      monthly_charges: { kind: 'numerical', edges: edges(18, 120, 20), counts: bell(18, 120, 20) },
      support_calls: { kind: 'numerical', edges: edges(0, 9, 9), counts: [3200, 1800, 900, 420, 200, 110, 60, 20, 8] },
      contract_type: { kind: 'categorical', levels: ['month-to-month', 'one year', 'two year'], counts: [3875, 1473, 1695] },
      paperless: { kind: 'categorical', levels: ['true', 'false'], counts: [4171, 2872] },
    },
  }];
}

function status(started) {
  return {
    version: '0.2.0',
    build: { revision: 'bef40f0', rustc: '1.95.0', profile: 'release' },
    uptime_seconds: (Date.now() - started) / 1000,
    config_text: '[api]\nlisten = "127.0.0.1:8000"\n\n[console]\nlisten = "127.0.0.1:9090"\n\n[monitor]\nthreshold = 0.3\n',
    storage: [{ name: 'snapshots', path: 'data/snapshots', bytes: 18_400_000 }, { name: 'metrics', path: 'data/metrics', bytes: 92_100_000 }, { name: 'models', path: 'data/models', bytes: 1_300_000 }, { name: 'reports', path: 'data/reports', bytes: 640_000 }],
    tsdb: { head_series: 1204, head_chunks: 4411, blocks: 12, wal_bytes: 4_100_000, min_time: Date.now() - 30 * day, max_time: Date.now() },
    damage: [],
    warnings: ['prometheus.yml: the section remote_read is not supported and was left out'],
  };
}

export function reportPage(name) {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${name}</title><style>:root{color-scheme:light dark}body{font:15px system-ui;margin:40px;background:Canvas;color:CanvasText}</style></head><body><h1>Drift report</h1><p>${name}</p></body></html>`;
}
