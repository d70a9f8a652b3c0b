/** StreamFlow's own resources under `/api/streamflow/`. */

import { requestJson } from './http';
import type { PromotionReport, StoredEvaluation } from './performance/evaluation';
import type { Bounds } from './units';

export type Role = 'viewer' | 'operator' | 'admin';

export interface Session {
  version: string;
  /** Null before a login. */
  token: string | null;
  user: string | null;
  /** Null before a login. */
  role: Role | null;
  /** Such a user cannot sign out here. */
  named_by_proxy: boolean;
  login_required: boolean;
  /** Why somebody whom a proxy names may not come in. */
  refusal: string | null;
  read_only: boolean;
  path_prefix?: string;
}

export interface Threshold {
  /** From here on; null in the first: from anywhere. */
  value?: number | null;
  color: 'green' | 'yellow' | 'red';
}
export interface Panel {
  title: string;
  description: string;
  kind: 'stat' | 'timeseries' | 'heatmap' | 'bar';
  unit: string;
  width: number;
  stacked?: boolean;
  thresholds?: Threshold[];
  lines?: { value: number; label: string }[];
  /** What stands in the place of no data; commands in backticks. */
  empty: string;
  bounds?: Bounds | null;
  /** An expression for the value from which on a stat is red. */
  limit?: string | null;
  /** An expression that makes a stat red where it gives anything but 0. */
  alarm?: string | null;
  /** Series that never leave zero are left out. */
  hide_zeros?: boolean;
  targets: { expression: string; legend: string }[];
}
export interface Dashboard {
  uid: string;
  title: string;
  description: string;
  rows: { title: string; panels: Panel[] }[];
}

export interface Report {
  name: string;
  reference: string;
  current: string;
  profile?: string;
  drift_share: number | null;
  threshold: number;
  drifted?: number;
  columns?: number;
  decision: string;
  target_drift: number | null;
  created?: string | number;
  url?: string;
  /** The run that made it. */
  run_id?: string | number | null;
}
/** What of a report's JSON is shown beside its page. */
export interface ReportDetail {
  not_tested?: { column: string; reason: string }[];
}

export interface ModelVersion {
  version: string | number;
  created?: string | number;
  trained_on?: string;
  metrics?: Record<string, unknown> | null;
  production: boolean;
  /** The run that trained it. */
  run_id?: string | number | null;
}
export interface Models {
  name: string;
  production: string | number | null;
  versions: ModelVersion[];
}

export interface Snapshot {
  as_of: string;
  ingested?: string | number;
  sha256?: string;
  tables: SnapshotTable[];
}
export interface SnapshotTable {
  name: string;
  rows: number;
  bytes?: number;
  expectations?: Expectation[];
  passed?: number;
  failed?: number;
}

/** A validation result in Great Expectations' form. */
export interface Expectation {
  success?: boolean;
  expectation_config?: { type?: string; kwargs?: Record<string, unknown> };
  result?: { unexpected_count?: number; observed_value?: unknown };
}

export interface RunTask {
  name: string;
  state: string;
  state_name?: string | null;
  /** The attempt of the run in which it ran. */
  attempt?: number;
  started?: string | number | null;
  duration_ms?: number | null;
  error?: string | null;
}
export interface LogLine {
  /** Rises from line to line. */
  id?: number;
  time: string | number;
  level: string;
  message: string;
}
export interface Transition {
  /** Null for the run itself. */
  task?: string | null;
  state: string;
  state_name: string;
  message: string;
  /** Who asked for it; empty where nobody did. */
  actor: string;
  at: string;
}
/** A question of a run. */
export interface Approval {
  task: string;
  question: string;
  asked_at: string;
  /** When no answer means no. */
  expires_at: string;
  /** `approved` or `rejected`; null while nobody has answered. */
  answer: string | null;
  answered_by: string | null;
  answered_at: string | null;
  note: string;
}
export interface Run {
  id: string | number;
  flow: string;
  state: string;
  /** What the run itself says it came to, such as NO_ACTION. */
  state_name?: string | null;
  message?: string | null;
  started?: string | number | null;
  ended?: string | number | null;
  parameters?: unknown;
  /** Name of the report it wrote. */
  report?: string | null;
  /** The month it is about. */
  period?: string | null;
  /** Who or what started it. */
  cause?: string | null;
  due?: string | null;
  attempt?: number;
  tasks?: RunTask[];
  logs?: LogLine[];
  transitions?: Transition[];
  approvals?: Approval[];
}

export type Kind = { type: 'date' | 'path' | 'number' | 'integer' | 'flag' } | { type: 'word'; values: string[] };
export interface Parameter {
  name: string;
  doc: string;
  kind: Kind;
  required: boolean;
}
export interface Flow {
  name: string;
  doc: string;
  parameters: Parameter[];
  /** Of a flow of the configuration. */
  steps: string[];
  /** In words; null without one. */
  schedule: string | null;
  on: string[];
  watch: string | null;
  paused: boolean;
  next: string[];
  skipped: { due_at: string; reason: string }[];
  last: Run | null;
}

export interface AuditEntry {
  id: number;
  at: string;
  actor: string;
  /** Null of a command or a run. */
  address: string | null;
  proxy: string | null;
  /** The method of a request; `command`; a word for what a run did. */
  action: string;
  subject: string;
  detail: string;
  /** Null where it was broken off. */
  outcome: string | null;
  run_id: number | null;
}
/** A promotion or a rollback. */
export interface ProductionChange {
  id: number;
  at: string;
  actor: string;
  action: string;
  subject: string;
  run_id: number | null;
}
export interface Annotation {
  at: string;
  kind: 'promotion' | 'ingest' | 'decision';
  text: string;
  run_id: number | null;
}

export type Distribution =
  /** Values beyond the outer edges are counted in the outer bins. */
  | { kind: 'numerical'; edges: number[]; counts: number[]; missing?: number }
  /** A last level `29 others` stands for the rare ones. */
  | { kind: 'categorical'; levels: string[]; counts: number[]; missing?: number };
export interface Prediction {
  status: number;
  response: Record<string, unknown>;
  distributions: Record<string, Distribution>;
}

export interface Status {
  version: string;
  build?: Record<string, unknown>;
  uptime_seconds?: number;
  config?: unknown;
  config_text?: string;
  storage?: { name: string; path?: string; bytes: number }[];
  tsdb?: Record<string, unknown>;
  damage?: unknown[];
  warnings?: string[];
}

async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await requestJson(`api/streamflow/${path}`, signal ? { signal } : {})) as T;
}

let token = '';

/** A state-changing request carries the token of the session, which another site cannot read. */
async function post<T>(path: string, body: unknown): Promise<T> {
  const headers = { 'Content-Type': 'application/json', 'X-StreamFlow-Token': token };
  return (await requestJson(`api/streamflow/${path}`, { method: 'POST', headers, body: JSON.stringify(body) })) as T;
}

export async function fetchSession(): Promise<Session> {
  const session = await get<Session>('session');
  token = session.token ?? '';
  return session;
}
export const login = (user: string, password: string): Promise<unknown> => post('login', { user, password });
export const logout = (): Promise<unknown> => post('logout', {});
export const fetchPanels = async (signal?: AbortSignal): Promise<Dashboard[]> => (await get<{ dashboards: Dashboard[] }>('panels', signal)).dashboards;
export const fetchReports = (signal?: AbortSignal): Promise<Report[]> => get('reports', signal);
export const fetchReport = (name: string, signal?: AbortSignal): Promise<ReportDetail> => get(`reports/${encodeURIComponent(name)}`, signal);
export const runReport = (request: { reference: string; current: string; profile?: string; threshold?: number }): Promise<Report> => post('reports', request);
export const fetchModels = (signal?: AbortSignal): Promise<Models> => get('models', signal);
export const promote = (version: string | number): Promise<unknown> => post('models/promote', { version });
export const rollBack = (): Promise<unknown> => post('models/rollback', {});
export const fetchSnapshots = (signal?: AbortSignal): Promise<Snapshot[]> => get('snapshots', signal);
export interface RunFilter {
  flow: string;
  state: string;
  period: string;
}
/** The newest runs; an empty text of the filter lets all pass. */
export function fetchRuns(limit: number, filter: RunFilter, signal?: AbortSignal): Promise<Run[]> {
  const chosen = Object.entries(filter).filter(([, value]) => value !== '');
  return get(`runs?${new URLSearchParams([['limit', String(limit)], ...chosen]).toString()}`, signal);
}
const runPath = (id: string | number): string => `runs/${encodeURIComponent(id)}`;
export const fetchRun = (id: string, signal?: AbortSignal): Promise<Run> => get(runPath(id), signal);
/** The lines after one, and the state of the run. */
export const fetchLog = (id: string, after: number, signal?: AbortSignal): Promise<{ state: string; state_name: string; lines: LogLine[] }> => get(`${runPath(id)}/logs?after=${after}`, signal);
export const logAddress = (id: string | number): string => `api/streamflow/${runPath(id)}/log.txt`;
export const retryRun = (id: string | number, again: { from?: string; all?: boolean }): Promise<Run> => post(`${runPath(id)}/retry`, again);
export const cancelRun = (id: string | number): Promise<Run> => post(`${runPath(id)}/cancel`, {});
export const answerRun = (id: string | number, approved: boolean, note: string): Promise<Run> => post(`${runPath(id)}/answer`, { approved, note });
const flowPath = (name: string): string => `flows/${encodeURIComponent(name)}`;
export const fetchFlows = (signal?: AbortSignal): Promise<Flow[]> => get('flows', signal);
export const runFlow = (name: string, parameters: Record<string, unknown>): Promise<Run> => post(`${flowPath(name)}/run`, { parameters });
export const pauseFlow = (name: string, paused: boolean): Promise<Flow> => post(`${flowPath(name)}/schedule`, { paused });
export const backfillFlow = (name: string, months: { from: string; to: string; failed_only: boolean; parameters: Record<string, unknown> }): Promise<{ runs: number[] }> => post(`${flowPath(name)}/backfill`, months);
export const fetchEvaluations = (signal?: AbortSignal): Promise<StoredEvaluation[]> => get('performance', signal);
export const compareVersions = (contest: { production: number; candidate: number; as_of: string }): Promise<PromotionReport> => post('models/compare', contest);
export const fetchAudit = (limit: number, signal?: AbortSignal): Promise<AuditEntry[]> => get(`audit?limit=${limit}`, signal);
export const fetchPromotions = (limit: number, signal?: AbortSignal): Promise<ProductionChange[]> => get(`promotions?limit=${limit}`, signal);
export const fetchAnnotations = (start: number, end: number, signal?: AbortSignal): Promise<Annotation[]> => get(`annotations?start=${Math.floor(start)}&end=${Math.ceil(end)}`, signal);
export const predict = (entity: string): Promise<Prediction> => post('predict', { entity });
export const fetchStatus = (signal?: AbortSignal): Promise<Status> => get('status', signal);
